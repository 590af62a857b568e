#pragma once

#include "protocol/agent_messages.hpp"
#include "protocol/vocabulary/json_fields.hpp"

#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>
#include <utility>

namespace satellite::devcore {

/// One type of frame and how it is read.
struct Decoder {
  std::string_view type;
  Result<protocol::AgentMessage> (*decode)(nlohmann::json& frame);
};

/// Turns a reader of one message type into a decoder: whatever field failed fails the frame.
template <auto read>
Result<protocol::AgentMessage> decode_with(nlohmann::json& frame) {
  JsonFields fields(frame, "$");
  auto message = read(fields, frame);
  if (fields.failed()) return fields.error();
  return protocol::AgentMessage(std::move(message));
}

template <typename Table>
std::optional<Result<protocol::AgentMessage>> decode_by(const Table& decoders,
                                                        std::string_view type,
                                                        nlohmann::json& frame) {
  for (const Decoder& decoder : decoders) {
    if (decoder.type == type) return decoder.decode(frame);
  }
  return std::nullopt;
}

}  // namespace satellite::devcore
