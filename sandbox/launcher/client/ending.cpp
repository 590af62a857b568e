#include "sandbox/launcher/client/ending.hpp"

#include <sys/wait.h>
#include <cerrno>
#include <utility>

namespace satellite::sandbox {
namespace {

/// A message for a person: step, what the kernel said, what the wrapper said.
std::string text_of(const RunSetupFailed& failure) {
  std::string text = "setup step " + std::string(name_of(failure.step));
  if (failure.index != 0) text += " (" + std::to_string(failure.index) + ")";
  text += " failed";
  if (failure.error_number != 0) text = error_from_errno(text, failure.error_number).message;
  if (!failure.text.empty()) text += ": " + failure.text;
  while (!text.empty() && text.back() == '\n') text.pop_back();
  const auto hint = operator_hint(failure.step, failure.error_number);
  if (!hint.empty()) text += "; " + std::string(hint);
  return text;
}

bool lacks_working_directory(const RunSetupFailed& failure) {
  if (failure.step == SetupStep::working_directory) {
    return failure.error_number == ENOENT || failure.error_number == ENOTDIR ||
           failure.error_number == EACCES;
  }
  // Within its own file view bubblewrap changes the directory itself.
  return failure.text.find("Can't chdir to ") != std::string::npos;
}

Outcome outcome_of(StopReason reason) {
  switch (reason) {
    case StopReason::timed_out:
      return Outcome::timed_out;
    case StopReason::cancelled:
      return Outcome::cancelled;
    case StopReason::output_limit:
      return Outcome::output_limit;
    case StopReason::answered:
      return Outcome::exited;
    case StopReason::none:
      break;
  }
  return Outcome::interrupted;
}

void describe_wait_status(RunResult& result, int status) {
  if (WIFEXITED(status)) {
    result.outcome = Outcome::exited;
    result.exit_code = WEXITSTATUS(status);
  } else if (WIFSIGNALED(status)) {
    result.outcome = Outcome::signaled;
    result.signal = WTERMSIG(status);
    result.exit_code = 128 + WTERMSIG(status);
  }
}

struct EndDescription {
  RunResult& result;
  StopReason reason;

  void operator()(const RunStarted&) const {}
  void operator()(const RunGone&) const {}
  void operator()(const RunPrepared&) const {}
  void operator()(const RunCounted&) const {}
  void operator()(const RunSetupFailed& failure) const {
    // Cancelled or out of time before the script was let go: the failure is our own doing.
    if (reason == StopReason::cancelled) {
      result.outcome = Outcome::cancelled;
      return;
    }
    result.outcome = Outcome::setup_failed;
    result.error_number = failure.error_number;
    result.lacked_working_directory =
        reason != StopReason::timed_out && lacks_working_directory(failure);
    result.error = reason == StopReason::timed_out ? "the set-up took too long" : text_of(failure);
  }
  void note_limits(const RunEnded& end) const {
    if (end.process_limit_hit == 0) return;
    result.sandbox.notes.push_back({Layer::resources, "the process limit was reached: pids.max " +
                                                          std::to_string(end.process_limit_hit) +
                                                          " let no further process start"});
  }
  /// The end of the script's time is none of a script that had ended, while what it left was still
  /// copied or the report was on its way.
  StopReason reason_that_counts(const RunEnded& end) const {
    const bool is_of_time = reason == StopReason::timed_out || reason == StopReason::answered;
    return end.ended_by_itself && is_of_time ? StopReason::none : reason;
  }
  /// The script was done; what it left open was ended for it.
  void describe_answered() const {
    result.exit_code = 0;
    result.sandbox.notes.push_back(
        {Layer::resources,
         "ended by the satellite: the script left something open after its result"});
  }
  void operator()(const RunRefused& refusal) const {
    // What was killed while it was measured cannot be found to hold its layers.
    if (reason == StopReason::cancelled) {
      result.outcome = Outcome::cancelled;
      return;
    }
    result.outcome = Outcome::refused;
    result.error = "sandbox unavailable: " + refusal.missing;
  }
  void operator()(const RunEnded& end) const {
    result.usage.cpu_user = std::chrono::microseconds(end.user_microseconds);
    result.usage.cpu_system = std::chrono::microseconds(end.system_microseconds);
    if (end.lost_uplink) {
      result.sandbox.notes.push_back(
          {Layer::network,
           "the program behind the run's uplink (slirp4netns) died before the script ended, or the "
           "one behind its loopback ports; from then on nothing could leave the run's network that "
           "way"});
    }
    result.usage.resident_max = ByteCount{end.resident_max_kibibytes << 10U};
    note_limits(end);
    const StopReason counts = reason_that_counts(end);
    if (counts != StopReason::none) {
      result.outcome = outcome_of(counts);
      if (counts == StopReason::answered) describe_answered();
    } else if (end.memory_limit_hit > 0) {
      result.outcome = Outcome::memory_limit;
      result.error = "the memory limit of " + std::to_string(end.memory_limit_hit) +
                     " bytes was reached, and the " +
                     (end.memory_was_watched ? "satellite" : "kernel") + " ended the run";
    } else if (end.status_known) {
      describe_wait_status(result, end.wait_status);
    } else {
      result.outcome = Outcome::interrupted;
      result.error = "the run's init or the launcher went away";
    }
  }
};

}  // namespace

EffectiveSandbox not_measured(EffectiveSandbox promise) {
  promise.enforced = EnforcedLayers{};
  for (auto& layer : promise.layers) {
    if (layer.state == LayerState::enforced) layer.state = LayerState::absent;
    layer.evidence = "nothing was started";
  }
  return promise;
}

void describe_refusal(RunResult& result, EffectiveSandbox promise) {
  result.outcome = Outcome::refused;
  result.error = refusal_text(promise.downgrades);
  result.sandbox = not_measured(std::move(promise));
}

void describe_failure(RunResult& result, const Error& error) {
  result.outcome = Outcome::setup_failed;
  result.error = error.message;
  result.error_number = error.error_number;
}

void describe_output(RunResult& result, const OutputBudget& budget) {
  result.bytes_standard_output = budget.delivered(OutputStream::standard_output);
  result.bytes_standard_error = budget.delivered(OutputStream::standard_error);
  result.bytes_dropped = budget.dropped();
  result.output_truncated = budget.closed();
}

void describe_end(RunResult& result, const LauncherRecord& record, StopReason reason) {
  // A script may end by itself between writing too much and our reading it: too much all the same.
  const bool too_much = reason == StopReason::none && result.output_truncated;
  const StopReason decided = too_much ? StopReason::output_limit : reason;
  std::visit(EndDescription{result, decided}, record.event);
  if (record.remains < Remains::unkillable) return;
  const bool hangs = record.remains == Remains::unkillable;
  result.error = (result.error ? *result.error + "; " : "") +
                 "processes of the run did not die within " +
                 std::to_string(unkillable_after.count()) + " s of being killed: " +
                 (hangs ? "they hang in the kernel (state D), mostly on a file system or device "
                          "that does not answer"
                        : "none of them hangs in the kernel, so this host had no processor time "
                          "left for them to end") +
                 "; what they hold is set aside until they are gone";
}

void describe_state(RunResult& result, const LauncherRecord& record,
                    const std::optional<KeptState>& state) {
  const auto* const end = std::get_if<RunEnded>(&record.event);
  if (end == nullptr) return;
  const auto note = [&result](const std::string& text) {
    result.sandbox.notes.push_back({Layer::filesystem, "state" + text});
  };
  for (const auto& why : {end->state_lost, state ? state->lost : std::string()}) {
    if (!why.empty()) note(": the script began without what its check kept: " + why);
  }
  if (end->state == StateEnd::none) return;
  if (!state || !state->not_kept.empty()) {
    return note(" not kept: " + (state ? state->not_kept
                                       : std::string("only assigned health checks have one of "
                                                     "their own")));
  }
  if (end->state == StateEnd::refused) {
    return note(" not kept: " + end->state_problem + "; the earlier one stays");
  }
  if (end->state == StateEnd::left || result.outcome != Outcome::exited) {
    return note(" not kept: the script did not end by itself; the earlier one stays");
  }
  result.has_new_state = true;
}

void describe_missing_command(RunResult& result, const LauncherRecord& record,
                              std::string_view command) {
  const auto* failure = std::get_if<RunSetupFailed>(&record.event);
  if (failure == nullptr || failure->step != SetupStep::find_command || !result.error) return;
  *result.error += ": this host has no " + std::string(command) +
                   " that the run may execute; install it, or name another interpreter";
}

std::exception_ptr report_started(RunObserver& observer, const RunResult& result) {
  try {
    observer.started(result.sandbox, result.started_at);
    return nullptr;
  } catch (...) {
    return std::current_exception();
  }
}

}  // namespace satellite::sandbox
