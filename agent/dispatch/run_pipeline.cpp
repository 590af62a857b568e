#include "agent/dispatch/run_pipeline.hpp"

#include "agent/dispatch/run_translation.hpp"
#include "agent/packages/packages_of_run.hpp"
#include "protocol/vocabulary/limits.hpp"

#include <algorithm>
#include <chrono>

namespace satellite::agent {

namespace asio = boost::asio;
using namespace satellite::byte_literals;

namespace {

// The artifact repeats what the streams carry, in one frame: so much of it that a frame of nothing
// but control characters, six bytes each, still stays below the frame limit.
constexpr ByteCount artifact_output_max = 1_MiB;
static_assert(6 * artifact_output_max + 1_MiB <= limits::frame_size_max);

/// Where a run's output goes: into its stream, as fast as the core acknowledges.
class StreamObserver final : public sandbox::RunObserver {
 public:
  StreamObserver(Outbox& outbox, protocol::RunStream& stream, bool collects)
      : outbox_(outbox), stream_(stream), collects_(collects) {}

  void started(const sandbox::EffectiveSandbox& report,
               std::chrono::system_clock::time_point at) override {
    protocol::ScriptStarted message;
    message.started_at = at;
    message.sandbox_json = report_json(report);
    setup_ = std::chrono::duration_cast<std::chrono::microseconds>(
        std::chrono::steady_clock::now() - asked_);
    stream_.started(std::move(message));
    outbox_.stream_changed(stream_.run_id());
  }

  asio::awaitable<void> output(sandbox::OutputStream stream, std::string_view bytes) override {
    const ByteCount size{bytes.size()};
    while (stream_.room() < size && !outbox_.draining()) {
      co_await outbox_.room().wait();
    }
    const bool is_output = stream == sandbox::OutputStream::standard_output;
    if (collects_) collect(is_output, bytes);
    stream_.output(is_output ? protocol::OutputStream::standard_output
                             : protocol::OutputStream::standard_error,
                   std::string(bytes));
    outbox_.stream_changed(stream_.run_id());
  }

  /// Packages may have been waited for before: that is no part of the set-up.
  void begin() { asked_ = std::chrono::steady_clock::now(); }
  std::optional<std::chrono::microseconds> setup() const { return setup_; }

  std::optional<CollectedOutput> take_collected() {
    if (!collects_) return std::nullopt;
    return std::move(collected_);
  }

 private:
  void collect(bool is_output, std::string_view bytes) {
    const std::size_t kept = collected_.standard_output.size() + collected_.standard_error.size();
    const std::size_t room = artifact_output_max.value - std::min(kept, artifact_output_max.value);
    std::string& target = is_output ? collected_.standard_output : collected_.standard_error;
    target.append(bytes.substr(0, room));
  }

  Outbox& outbox_;
  protocol::RunStream& stream_;
  bool collects_;
  CollectedOutput collected_;
  std::chrono::steady_clock::time_point asked_ = std::chrono::steady_clock::now();
  std::optional<std::chrono::microseconds> setup_;
};

}  // namespace

asio::awaitable<RunPipelineOutcome> execute_run(RunPipelineDependencies dependencies,
                                                RunPipelineInput input) {
  StreamObserver observer(dependencies.outbox, dependencies.stream, input.collects_artifact);
  const auto has_packages =
      co_await add_packages(dependencies.packages, input.request, dependencies.cancel);
  if (!has_packages) {
    auto without = result_without_packages(has_packages.error(), input.policy.policy);
    auto told = finished_message_from(without, std::nullopt);
    co_return RunPipelineOutcome{std::move(without), std::move(told)};
  }
  observer.begin();
  auto result = co_await dependencies.runner.run(std::move(input.request), std::move(input.policy),
                                                 observer, dependencies.cancel);
  auto message = finished_message_from(result, observer.take_collected());
  co_return RunPipelineOutcome{std::move(result), std::move(message), observer.setup()};
}

}  // namespace satellite::agent
