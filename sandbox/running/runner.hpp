#pragma once

#include "protocol/vocabulary/result.hpp"
#include "sandbox/host/host_facts.hpp"
#include "sandbox/host/macvlan_settings.hpp"
#include "sandbox/planning/plan.hpp"
#include "sandbox/policy/policy_provider.hpp"
#include "sandbox/report/outcome.hpp"
#include "sandbox/report/run_request.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace satellite::sandbox {

/// Who is told about a run while it goes on. One observer per run; calls never overlap per stream.
class RunObserver {
 public:
  virtual ~RunObserver() = default;
  /// After verification, before the first instruction of the script.
  virtual void started(const EffectiveSandbox& report,
                       std::chrono::system_clock::time_point at) = 0;
  /// A piece of output: masked, within the cap, at most `output_chunk_size_max`. The script's pipe
  /// is not read again until this returns: waiting here is the flow control.
  virtual boost::asio::awaitable<void> output(OutputStream stream, std::string_view bytes) = 0;
};

/// Asks one run to end early; may be used from the same thread before, during and after the run.
class CancelSwitch {
 public:
  explicit CancelSwitch(boost::asio::io_context& context);
  ~CancelSwitch();
  CancelSwitch(const CancelSwitch&) = delete;
  CancelSwitch& operator=(const CancelSwitch&) = delete;
  /// Idempotent.
  void cancel();
  bool cancelled() const;
  /// Returns once cancel() was called (or this coroutine is cancelled).
  boost::asio::awaitable<void> wait() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

struct RunnerSettings {
  std::chrono::milliseconds grace{2'000};    ///< between TERM and KILL
  std::optional<Identity> default_identity;  ///< used when the policy drops but names no uid
  /// That may be used, the strongest that works first; empty = none.
  std::vector<Engine> engines{Engine::native, Engine::bwrap, Engine::nsjail};
  ConfiguredMacvlan macvlan{};               ///< the uplink that the launcher was started with
  std::optional<std::uint64_t> cpu_percent;  ///< of one processor, for each run in a control group
  std::size_t prepared_runs = 0;             ///< that may stand ready for a script; 0 = none
};

class Launcher;  // launcher/client/launcher_link.hpp

/// The door: request -> plan -> decide -> launch -> verify -> run -> capture -> result.
///
/// Shape:  one object per process, one run per coroutine, any number at a time (the caller admits).
/// Errors: never fails as such: what went wrong is an Outcome of the result.
class Runner {
 public:
  Runner(boost::asio::io_context& context, Launcher& launcher, HostFacts facts,
         RunnerSettings settings);
  /// For who has other things to do until the host is known: runs wait until learn() was called.
  Runner(boost::asio::io_context& context, Launcher& launcher, RunnerSettings settings);
  void learn(HostFacts facts);
  ~Runner();
  Runner(const Runner&) = delete;
  Runner& operator=(const Runner&) = delete;

  boost::asio::awaitable<RunResult> run(RunRequest request, ResolvedPolicy policy,
                                        RunObserver& observer, CancelSwitch& cancel);
  const HostFacts& facts() const;
  /// How many runs stand ready for a script of the policy that ran last.
  std::size_t count_prepared() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace satellite::sandbox
