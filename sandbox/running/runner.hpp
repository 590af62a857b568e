#pragma once

#include "protocol/vocabulary/byte_count.hpp"
#include "protocol/vocabulary/result.hpp"
#include "sandbox/capture/run_observer.hpp"
#include "sandbox/host/engines.hpp"
#include "sandbox/host/host_facts.hpp"
#include "sandbox/host/host_view.hpp"
#include "sandbox/host/identity.hpp"
#include "sandbox/host/macvlan_settings.hpp"
#include "sandbox/host/module_runtime.hpp"
#include "sandbox/policy/policy_provider.hpp"
#include "sandbox/report/outcome.hpp"
#include "sandbox/report/run_request.hpp"
#include "sandbox/running/cancel_switch.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace satellite::sandbox {

/// How runtimes stand ready for modules (standing_runs).
struct StandingSettings {
  std::size_t count_max = 0;
  /// After its first word a runtime still goes to sleep: threads and descriptors of its read come
  /// then, and it is counted only after that.
  std::chrono::milliseconds settle_time{100};
  /// Two reads of some files of /proc; a launcher that takes longer has other troubles.
  std::chrono::milliseconds census_time_max{1'000};
};

struct RunnerSettings {
  std::chrono::milliseconds grace{2'000};  ///< between TERM and KILL
  /// How long a module may be silent after its result before what it left open is ended.
  std::chrono::milliseconds quiet_after_answer{500};
  std::optional<Identity> default_identity;  ///< used when the policy drops but names no uid
  /// The engines that runs may use; the strongest that works is taken. Empty = none.
  std::vector<Engine> engines{Engine::native, Engine::bwrap, Engine::nsjail};
  ConfiguredMacvlan macvlan{};               ///< the uplink that the launcher was started with
  std::optional<std::uint64_t> cpu_percent;  ///< of one processor, for each run in a control group
  std::size_t prepared_runs = 0;             ///< how many may stand ready for a script; 0 = none
  StandingSettings standing_modules{};       ///< runtimes that may stand with a sandbox of theirs
  ByteCount prepared_memory{std::uint64_t{256} << 20U};  ///< of both kinds together
  std::string module_runtime = "auto";  ///< of JavaScript: auto, none, or the path of one
  HostView host_view{};                 ///< what the operator shows scripts of the host
  bool honours_first_line = false;  ///< a `#!` line names what runs a script, instead of `sh -c`
  /// Told of each run, before its caller is.
  std::function<void(const RunResult&)> on_result = [](const RunResult&) {};
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
  /// Without facts, so that the caller can probe the host meanwhile: runs wait for learn().
  Runner(boost::asio::io_context& context, Launcher& launcher, RunnerSettings settings);
  void learn(HostFacts facts);
  ~Runner();
  Runner(const Runner&) = delete;
  Runner& operator=(const Runner&) = delete;

  boost::asio::awaitable<RunResult> run(RunRequest request, ResolvedPolicy policy,
                                        RunObserver& observer, CancelSwitch& cancel);
  const HostFacts& facts() const;
  /// Looks for a JavaScript runtime, as the first module run does, by letting it run a script.
  boost::asio::awaitable<Result<ModuleRuntime>> find_module_runtime();
  /// Why module runs cannot start here, as far as that is known without trying.
  std::optional<std::string> reason_against_modules() const;
  /// How many runs stand ready for a script of the policy that ran last, shells and modules.
  std::size_t count_prepared() const;
  /// How many runtimes stand ready for a module of the kind that ran last.
  std::size_t count_standing() const;
  /// What they and the prepared runs take of RunnerSettings::prepared_memory.
  ByteCount prepared_memory_taken() const;
  /// `dropped` is called whenever something that stood ready was given up although it was wanted:
  /// `what` is one of two fixed words. What was to run in it starts without it.
  using Dropped = std::function<void(std::string_view what, std::string_view why)>;
  void on_dropped(Dropped dropped);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace satellite::sandbox
