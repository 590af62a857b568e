// A prepared run gets what it shall execute.
#include "sandbox/launcher/process/launched_run.hpp"
#include "sandbox/launcher/wire/order_codec.hpp"

#include <filesystem>
#include <system_error>
#include <utility>

namespace satellite::sandbox {
namespace {

/// Nothing but a run's own processes, none of which has run yet, puts anything into its directory;
/// but a run of the same user that sees the host's files could.
bool is_untouched(const std::string& scratch_directory) {
  std::error_code problem;
  return scratch_directory.empty() ||
         (std::filesystem::is_empty(scratch_directory, problem) && !problem);
}

}  // namespace

void LaunchedRun::begin(const LaunchOrder& order, const RunStreams& streams) {
  // What comes too late, or for another run, ends it: it must not wait for a task that it was
  // already given, nor run one in a sandbox that is not the one asked for.
  if (stage_ != Stage::waiting || !barrier_) {
    return fail({SetupStep::receive_task, 0, 0, "the run does not wait for a task"});
  }
  if (encode_frame(order) != frame_) {
    return fail({SetupStep::receive_task, 0, 0, "the run was prepared for another sandbox"});
  }
  if (order.native && host_texts_of(*order.native) != host_texts_) {
    return fail({SetupStep::receive_task, 0, 0, "the host's files changed since"});
  }
  if (!is_untouched(scratch_directory_)) {
    return fail({SetupStep::receive_task, 0, 0, "somebody put files into its scratch directory"});
  }
  if (change_identity_) give_streams(streams, *identity_);
  if (auto problem = send_task(barrier_.get(), order, streams)) return fail(*problem);
  expected_descriptors_ = descriptors_of_script(order);
  stage_ = Stage::beginning;
}

}  // namespace satellite::sandbox
