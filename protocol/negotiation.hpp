#pragma once

#include <array>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace satellite::protocol {

/// What this agent can do beyond the existing protocol, in the order in which it is announced.
/// `result-ack` is the last: an agent that never sends a result twice does not announce it.
inline constexpr std::array<std::string_view, 4> own_capabilities{
    "script-dispatch", "script-stream", "ordered-frames", "result-ack"};

/// Which extensions hold for one connection.
///
/// Shape:  everything off until the core declared it in this connection.
struct Negotiated {
  bool script_dispatch = false;
  bool result_ack = false;
  bool ordered_frames = false;
  std::vector<std::string> ignored;  ///< unknown names and major versions, fit for one log line
};

/// Pure: what the core declared x what we announced -> what holds.
///
/// Shape:  an extension is on if the core names it as `name/1` and we announced `name`; anything
///         else is off and listed in `ignored`, never an error.
/// Source: dispatch-extension "Negotiation".
Negotiated negotiate(std::span<const std::string> declared_by_core,
                     std::span<const std::string_view> announced_by_us = own_capabilities);

}  // namespace satellite::protocol
