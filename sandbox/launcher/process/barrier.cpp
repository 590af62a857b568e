#include "sandbox/launcher/process/barrier.hpp"

#include "sandbox/kernel/socket_messages.hpp"

#include <cstddef>
#include <span>

namespace satellite::sandbox {

Incoming receive_report(int socket) {
  InitReport report;
  const auto message =
      kernel::receive_message(socket, std::as_writable_bytes(std::span(&report, 1)));
  if (!message) return {true, std::nullopt, std::nullopt};
  if (!*message) return {};
  const auto& got = **message;
  if (got.size != sizeof(report) || got.truncated) return {true, std::nullopt, std::nullopt};
  return {false, report, got.sender};
}

bool Barrier::take(const Incoming& incoming, InitReportKind expected) {
  if (incoming.report->kind != expected || !incoming.sender) return false;
  if (script_ && script_ != incoming.sender) return false;
  script_ = incoming.sender;
  landlock_abi_ = static_cast<std::uint32_t>(incoming.report->index);
  keeps_signals_ = incoming.report->keeps_signals != 0;
  return true;
}

void Barrier::send_go() const {
  const std::byte go{1};
  static_cast<void>(kernel::send_message(socket_.get(), std::span(&go, 1)));
}

}  // namespace satellite::sandbox
