#pragma once

#include "sandbox/capture/run_observer.hpp"
#include "sandbox/planning/plan.hpp"
#include "sandbox/report/run_request.hpp"

#include <array>
#include <string>
#include <vector>

namespace satellite::sandbox {

/// Hands on what happens in a run and keeps the beginning of what its script writes.
class BeginningOfOutput final : public RunObserver {
 public:
  explicit BeginningOfOutput(RunObserver& next) : next_(next) {}

  void started(const EffectiveSandbox& report, std::chrono::system_clock::time_point at) override;
  boost::asio::awaitable<void> output(OutputStream stream, std::string_view bytes) override;

  /// Of standard error, then of standard output: at most 8 KiB each.
  std::string text() const { return kept_[1] + "\n" + kept_[0]; }

 private:
  RunObserver& next_;
  std::array<std::string, 2> kept_;
};

/// The hints of a run that has ended (hints/hints), whose report says what of the host was found in
/// it.
std::vector<std::string> hints_of(const RunRequest& request, const Plan& plan,
                                  const EffectiveSandbox& measured, const std::string& output);

}  // namespace satellite::sandbox
