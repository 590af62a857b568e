#include "agent/config/config.hpp"

#include "protocol/negotiation.hpp"

namespace satellite::agent {

std::span<const std::string_view> announced_by(const Config& config) {
  const std::span<const std::string_view> all(protocol::own_capabilities);
  const bool keeps_results = config.delivery == Delivery::at_least_once;
  return keeps_results ? all : all.first(all.size() - 1);
}

}  // namespace satellite::agent
