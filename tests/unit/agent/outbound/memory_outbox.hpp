#pragma once

#include "agent/outbound/outbox.hpp"

#include <optional>
#include <string>

namespace satellite::tests {

/// A store without a disk, as `--ephemeral` has it.
inline agent::Store::Settings memory_only() {
  agent::Store::Settings settings;
  settings.fault = agent::StoreFault::ephemeral;
  return settings;
}

/// The next frame, as a core takes it that has read everything at once.
inline std::optional<std::string> next_delivered(agent::Outbox& outbox) {
  static std::uint64_t number = 0;
  auto outgoing = outbox.next();
  if (!outgoing) return std::nullopt;
  outbox.sent(outgoing->kept_as);
  if (outbox.wants_barrier()) outbox.barrier_sent(++number);
  outbox.barrier_passed(number);
  return std::move(outgoing->frame);
}

}  // namespace satellite::tests
