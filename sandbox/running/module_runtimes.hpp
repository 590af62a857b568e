#pragma once

#include "protocol/vocabulary/result.hpp"
#include "sandbox/capture/run_observer.hpp"
#include "sandbox/host/module_runtime.hpp"
#include "sandbox/report/outcome.hpp"
#include "sandbox/report/run_request.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace satellite::sandbox {

/// Which program runs scripts in JavaScript here: bun before node (18 and newer), found by letting
/// it run a script behind the layers of the shipped default policy.
///
/// Shape:  looked for when the first module run needs it, and again when the program changed, or a
///         minute after nothing was found. One search at a time.
class ModuleRuntimes {
 public:
  /// Runs the script with this runtime, under the shipped default policy where it can be kept.
  using TryOne = std::function<boost::asio::awaitable<RunResult>(RunRequest, ModuleRuntime)>;

  /// `setting` is `auto`, `none` or the path of the one program to take.
  ModuleRuntimes(boost::asio::io_context& context, std::string setting, TryOne try_one);

  /// Errors: unsupported, with what was tried and what to do.
  boost::asio::awaitable<Result<ModuleRuntime>> find();
  /// Why there is none, as far as a look at PATH or the last search tells.
  std::optional<std::string> reason_against() const;

 private:
  class Searching;
  boost::asio::awaitable<void> search();
  std::vector<ModuleRuntime> candidates() const;
  bool is_current() const;

  boost::asio::io_context& context_;
  std::string setting_;
  TryOne try_one_;
  boost::asio::steady_timer searched_;  ///< cancelled at the end of a search
  bool searching_ = false;
  std::optional<ModuleRuntime> found_;
  std::string stamp_;  ///< of the program that was found
  std::string problem_;
  std::chrono::steady_clock::time_point tried_at_{};
};

/// Of a run that only looks whether something works: the beginning of what went wrong.
class TrialListener final : public RunObserver {
 public:
  void started(const EffectiveSandbox&, std::chrono::system_clock::time_point) override {}
  boost::asio::awaitable<void> output(OutputStream stream, std::string_view bytes) override;
  std::string complaint;
};

/// What a runtime said of itself in its trial; nothing for a node before 18. Pure.
std::optional<ModuleRuntime> described_runtime(const std::string& path, const ModuleAnswer& answer);

}  // namespace satellite::sandbox
