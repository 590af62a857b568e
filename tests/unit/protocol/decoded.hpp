#pragma once

#include "protocol/decode.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>
#include <string>
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

/// An object with this member added or, where it has one of that name, in its place.
inline std::string with_member(const std::string& object, const std::string& member) {
  auto members = nlohmann::ordered_json::parse(object);
  members.erase(member.substr(1, member.find('"', 1) - 1));
  const std::string rest = members.dump();
  return rest.substr(0, rest.size() - 1) + "," + member + "}";
}

}  // namespace satellite::tests
