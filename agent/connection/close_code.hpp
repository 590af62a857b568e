#pragma once

#include <cstdint>

namespace satellite::agent {

/// Why we close the connection; the number travels in the close frame (RFC 6455 7.4.1).
enum class CloseCode : std::uint16_t {
  normal = 1000,
  going_away = 1001,
  protocol_error = 1002,
  unsupported_data = 1003,
  policy_violation = 1008,
  unauthorised = 4001,  ///< after `auth_failed`, as today's satellite does it
};

}  // namespace satellite::agent
