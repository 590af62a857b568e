#include "tests/devcore/settings.hpp"

#include <array>
#include <utility>

namespace satellite::devcore {
namespace {

constexpr std::array<std::pair<Misbehaviour, std::string_view>, 22> names{{
    {Misbehaviour::none, "none"},
    {Misbehaviour::close_at_connect, "close-at-connect"},
    {Misbehaviour::stall_tls, "stall-tls"},
    {Misbehaviour::drip_tls, "drip-tls"},
    {Misbehaviour::stall_upgrade, "stall-upgrade"},
    {Misbehaviour::http_status, "http-status"},
    {Misbehaviour::more_headers, "more-headers"},
    {Misbehaviour::refuse, "refuse"},
    {Misbehaviour::never_authenticate, "never-authenticate"},
    {Misbehaviour::close_after_authentication, "close-after-authentication"},
    {Misbehaviour::close, "close"},
    {Misbehaviour::reset, "reset"},
    {Misbehaviour::stall, "stall"},
    {Misbehaviour::chatter, "chatter"},
    {Misbehaviour::garbage, "garbage"},
    {Misbehaviour::deep_json, "deep-json"},
    {Misbehaviour::oversize_frame, "oversize-frame"},
    {Misbehaviour::endless_fragments, "endless-fragments"},
    {Misbehaviour::binary_frame, "binary-frame"},
    {Misbehaviour::displace, "displace"},
    {Misbehaviour::close_5000, "close-5000"},
    {Misbehaviour::forget_route, "forget-route"},
}};

}  // namespace

std::string_view name_of(Misbehaviour misbehaviour) {
  for (const auto& [value, name] : names) {
    if (value == misbehaviour) return name;
  }
  return "none";
}

std::optional<Misbehaviour> misbehaviour_named(std::string_view wanted) {
  for (const auto& [value, name] : names) {
    if (name == wanted) return value;
  }
  return {};
}

}  // namespace satellite::devcore
