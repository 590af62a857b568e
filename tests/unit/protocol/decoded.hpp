#pragma once

#include "protocol/decode.hpp"

#include <catch2/catch.hpp>
#include <string_view>
#include <utility>
#include <variant>

namespace satellite::tests {

/// Decodes a frame that must be of one type.
template <typename Message>
Message decoded(std::string_view text) {
  auto message = protocol::decode(text);
  INFO(text.substr(0, 500));
  if (!message) FAIL(message.error().message);
  REQUIRE(std::holds_alternative<Message>(*message));
  return std::get<Message>(std::move(*message));
}

/// The error of a frame that must be refused.
inline Error refused(std::string_view text) {
  const auto message = protocol::decode(text);
  INFO(text.substr(0, 500));
  REQUIRE_FALSE(message.has_value());
  return message.error();
}

}  // namespace satellite::tests
