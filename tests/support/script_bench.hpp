#pragma once

#include "sandbox/launcher/client/launcher_link.hpp"
#include "sandbox/probing/probe.hpp"
#include "sandbox/running/runner.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace satellite::tests {

/// The user that scripts become when the tests run as root. Not the user that the second pass of
/// the tests runs as: the two passes may run side by side and must not count each other's
/// processes.
constexpr sandbox::Identity script_identity{65'530, 65'530};

bool is_root();

/// Ids that neither an account nor a test running at the same time has.
sandbox::IdentityRange identities_of_this_process(std::uint32_t count);

/// The timeout of a script that has something to do before its time is over, which takes it
/// milliseconds, or seconds on a busy host.
constexpr std::chrono::seconds time_to_begin{4};

/// Collects what a run says; a test may hook into it while the run goes on.
class Listener : public sandbox::RunObserver {
 public:
  void started(const sandbox::EffectiveSandbox& report,
               std::chrono::system_clock::time_point at) override;
  boost::asio::awaitable<void> output(sandbox::OutputStream stream,
                                      std::string_view bytes) override;

  std::optional<sandbox::EffectiveSandbox> report;
  std::string standard_output, standard_error;
  std::function<void()> on_started;
  /// Called after each chunk, with everything that arrived so far.
  std::function<void(const std::string& standard_output)> on_output;
  /// Awaited in each chunk's place, when set: a slow reader.
  std::function<boost::asio::awaitable<void>()> before_taking;
};

struct Ran {
  sandbox::RunResult result;
  std::string standard_output, standard_error;
  std::optional<sandbox::EffectiveSandbox> report;
};

/// A launcher, an event loop and a runner of this test alone.
class ScriptBench {
 public:
  /// Ways out of a network namespace are tried only where a test asks for them.
  enum class Egress { untried, tried };
  /// Only `engine` may be used, and only it is tried; none = no engine at all.
  explicit ScriptBench(sandbox::Engine engine = sandbox::Engine::native,
                       Egress egress = Egress::untried,
                       std::optional<sandbox::MacvlanSettings> macvlan = std::nullopt,
                       std::optional<sandbox::IdentityRange> identities = std::nullopt,
                       sandbox::RootScripts root_scripts = sandbox::RootScripts::refused,
                       const std::string& scratch_parent = "/tmp",
                       std::optional<std::uint32_t> landlock_abi_max = std::nullopt);
  ~ScriptBench();
  ScriptBench(const ScriptBench&) = delete;
  ScriptBench& operator=(const ScriptBench&) = delete;

  /// Tries other engines, too, and all that `facts` says is from then on.
  void try_engines(std::vector<sandbox::Engine> engines);

  /// Runs to the end.
  Ran run(sandbox::RunRequest request, const sandbox::Policy& policy);
  Ran run(sandbox::RunRequest request, const sandbox::Policy& policy, Listener& listener);
  /// Only begins it: `ended` is called from the loop, while somebody runs `context`.
  void begin(sandbox::RunRequest request, const sandbox::Policy& policy, Listener& listener,
             sandbox::CancelSwitch& its_cancel, std::function<void(Ran)> ended);
  /// All at once; results in the order of the requests.
  std::vector<Ran> run_together(std::vector<sandbox::RunRequest> requests,
                                const sandbox::Policy& policy);

  /// From now on one runner does everything and keeps runs ready, as the satellite's does.
  void keep_prepared(std::size_t count);
  /// The same with runtimes for modules that stand and wait for a task, which have more time than
  /// the satellite gives them.
  void keep_standing(std::size_t count);
  void keep_standing(const sandbox::StandingSettings& wanted);
  bool wait_until_standing(std::size_t count,
                           std::chrono::seconds patience = std::chrono::seconds(150));
  /// What stood ready and was dropped so far, and why, a line each.
  const std::string& dropped() const { return dropped_; }
  bool wait_until_dropped(std::chrono::seconds patience = std::chrono::seconds(150));
  std::size_t count_prepared() const { return lasting_->count_prepared(); }
  std::size_t count_standing() const { return lasting_->count_standing(); }
  ByteCount prepared_memory_taken() const { return lasting_->prepared_memory_taken(); }
  /// Lets the loop work until as many stand ready; false when they do not within a bound.
  bool wait_until_prepared(std::size_t count,
                           std::chrono::seconds patience = std::chrono::seconds(150));
  /// Runs what `requests` makes, again and again, until so many stand ready: on a busy host runs
  /// that were asked for together are not always seen as wanted at once.
  bool run_together_until_prepared(
      std::size_t count, const std::function<std::vector<sandbox::RunRequest>()>& requests,
      const sandbox::Policy& policy);
  /// What as many gave at once that stood ready, all of them: a neighbour that changes the host's
  /// mounts or files makes what stands ready useless, and then they are run once more.
  std::vector<Ran> run_together_prepared(
      const std::function<std::vector<sandbox::RunRequest>()>& requests,
      const sandbox::Policy& policy);

  /// An empty file of this name in the scratch directory of each run that goes on: a word to its
  /// script.
  void put_in_scratch(const std::string& name) const;

  boost::asio::io_context context{1};
  std::unique_ptr<sandbox::Launcher> launcher;
  bool launcher_gone = false;
  sandbox::HostFacts facts;
  sandbox::RunnerSettings settings;
  std::unique_ptr<sandbox::CancelSwitch> cancel;

 private:
  bool wait_until(const std::function<bool()>& condition, std::chrono::seconds patience);

  void keep_runner();

  const Egress egress_;
  const std::optional<sandbox::MacvlanSettings> macvlan_;
  std::unique_ptr<sandbox::Runner> lasting_;
  std::string dropped_;
};

/// `others`, and nsjail where it works; where it does not, the test says so and goes on.
std::vector<sandbox::Engine> with_nsjail(std::vector<sandbox::Engine> others);

/// GENERATE over every engine, or over those that confine: nsjail, too, where it works.
sandbox::Engine each_engine();
sandbox::Engine each_confining_engine();

/// A shell script with a PATH and a timeout that no test should reach.
sandbox::RunRequest script(std::string text);

/// The shipped default, or its portable part for engine `none`.
sandbox::Policy policy_for(sandbox::Engine engine);

/// A word that appears in no other process's command line.
std::string unique_marker();
/// How many living processes of this host carry the marker in their command line.
int count_processes(const std::string& marker);
/// The host pids of those.
std::vector<pid_t> processes_with(const std::string& marker);
/// Polls until the condition holds, at most `patience`; whether it did.
bool eventually(const std::function<bool()>& condition,
                std::chrono::milliseconds patience = std::chrono::seconds(60));

std::string read_proc(pid_t pid, const std::string& file);

bool holds(const std::string& text, const std::string& part);

}  // namespace satellite::tests
