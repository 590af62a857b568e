#pragma once

#include "protocol/agent_messages.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace satellite::protocol {

/// What we say -> frame text, one JSON object.
///
/// Shape:  pure, and total: bytes that are no UTF-8 become U+FFFD, a `_json` member that is not one
///         JSON value becomes `null`. A frame may be up to six times as long as its texts (control
///         characters); the core closes the connection above frame_size_max, so whoever fills
///         `result_json` bounds it.
///         The frame of Authenticate holds the token: wipe() it once sent.
/// Source: core-contract 1.3; dispatch-extension.
std::string encode(const AgentMessage& message);

std::string encode(const ScriptStarted& message);
std::string encode(const ScriptFinished& message);

/// A ScriptOutput that borrows its bytes: output is encoded from where it is kept.
struct ScriptOutputView {
  std::string_view run_id;
  std::uint64_t seq = 0;
  OutputStream stream = OutputStream::standard_output;
  std::uint64_t offset = 0;
  std::string_view bytes;
};

/// Valid UTF-8 goes as `text`, any other bytes as `base64`.
std::string encode(const ScriptOutputView& output);

}  // namespace satellite::protocol
