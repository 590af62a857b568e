#pragma once

#include <compare>
#include <functional>
#include <string>
#include <utility>

namespace satellite {

/// A name given by somebody else, typed so that two kinds cannot be mixed up.
///
/// Shape: opaque text; the decoder that made it checked length and characters.
template <typename Tag>
struct StrongId {
  std::string text;

  StrongId() = default;
  explicit StrongId(std::string value) : text(std::move(value)) {}
  auto operator<=>(const StrongId&) const = default;
};

using ConfigId = StrongId<struct ConfigIdTag>;    ///< one check, the core's UUID
using SystemId = StrongId<struct SystemIdTag>;    ///< one monitored system
using RunId = StrongId<struct RunIdTag>;          ///< one dispatched execution, idempotency key
using RequestId = StrongId<struct RequestIdTag>;  ///< pairs a request of ours with its reply

}  // namespace satellite

template <typename Tag>
struct std::hash<satellite::StrongId<Tag>> {
  std::size_t operator()(const satellite::StrongId<Tag>& id) const noexcept {
    return std::hash<std::string>{}(id.text);
  }
};
