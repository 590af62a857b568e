#pragma once

#include "protocol/vocabulary/result.hpp"
#include "sandbox/launcher/bare/init_block.hpp"
#include "sandbox/launcher/wire/made_ahead.hpp"
#include "sandbox/launcher/wire/posture.hpp"
#include "sandbox/launcher/wire/setup_steps.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

namespace satellite::sandbox {

/// Paths of memory file systems travel whole, as they are compared; they have at most PATH_MAX.
constexpr std::size_t record_size_max = 20'480;

// --- Agent -> launcher --------------------------------------------------------------------------

enum class RequestKind : std::uint32_t {
  start = 1,
  terminate = 2,
  kill = 3,
  try_namespaces = 4,
  prepare = 5,
  begin = 6,
  count = 7
};

/// What the agent asks. `start` carries three descriptors: the order (a sealed memory file) and the
/// write ends for standard output and standard error, for a module two more, its task and its
/// answer, and for a run with a state its file. `prepare` carries an order alone, whose
/// command is ignored: the run is made up to the point where only that is missing, and `begin`,
/// with the descriptors of a start, gives it one. `count` has a prepared module that was let go
/// looked at from outside: first when it waits for its task, and again before it gets one.
/// `try_namespaces` is answered like a run.
struct LauncherRequest {
  RequestKind kind = RequestKind::start;
  std::uint64_t run_number = 0;
  std::optional<Identity> identity;  ///< try_namespaces: as whom
  bool operator==(const LauncherRequest&) const = default;
};
constexpr std::size_t start_descriptors = 3, prepare_descriptors = 1, module_descriptors = 2;

// --- Launcher -> agent --------------------------------------------------------------------------
// A run that is prepared has at most one RunPrepared, and any run at most one RunStarted. Each has
// exactly one of RunSetupFailed, RunRefused and RunEnded,
// after which nothing of it exists any more: no process but the init of a native run and the
// program behind its uplink, both on their way out, no scratch directory. Where that record says
// that something remains, what must not be given to others is still held, and RunGone follows when
// it is not any more.

/// Everything was applied and verified; the script is let go right after this record.
struct RunStarted {
  Posture posture;
  MadeAhead made_ahead{};  ///< what it did not have to make itself
  bool operator==(const RunStarted&) const = default;
};

struct RunSetupFailed {
  SetupStep step = SetupStep::none;
  std::int32_t index = 0;
  std::int32_t error_number = 0;
  std::string text;  ///< e.g. what the wrapper said
  bool operator==(const RunSetupFailed&) const = default;
};

/// A layer that the order requires was not there. The script never ran.
struct RunRefused {
  std::string missing;
  bool operator==(const RunRefused&) const = default;
};

/// What became of the state of its check.
enum class StateEnd : std::uint8_t {
  none,     ///< there is none, before and after
  packed,   ///< the agent's file has it
  refused,  ///< it holds what no state may, or too much
  left,     ///< there was one, and the run was killed
};

struct RunEnded {
  bool status_known = false;  ///< false: init died, or was killed, before it could tell
  std::int32_t wait_status = 0;
  std::uint64_t user_microseconds = 0, system_microseconds = 0, resident_max_kibibytes = 0;
  /// The program behind the run's uplink died first; from then on nothing left the run's network.
  bool lost_uplink = false;
  // The limit of the run's control group, if it was reached, or the bound of memory that was only
  // watched; else 0.
  std::uint64_t memory_limit_hit = 0, process_limit_hit = 0;
  bool memory_was_watched = false;
  StateEnd state = StateEnd::none;
  std::string state_lost{};      ///< why the script began without the state of before
  std::string state_problem{};   ///< why that of now is refused
  bool ended_by_itself = false;  ///< before anybody asked for it
  bool operator==(const RunEnded&) const = default;
};

/// Nothing of the run is left at all: its user id can be somebody else's.
struct RunGone {
  bool operator==(const RunGone&) const = default;
};

/// The run stands behind every layer, measured, and waits for what it shall execute.
struct RunPrepared {
  std::uint64_t own_memory = 0;  ///< of its processes: the bytes that they share with nobody
  bool operator==(const RunPrepared&) const = default;
};

/// A module that stands and waits for its task was looked at.
struct RunCounted {
  std::string difference;        ///< why it must not get one; empty = it may
  std::uint64_t own_memory = 0;  ///< as RunPrepared, the first time; later 0
  bool operator==(const RunCounted&) const = default;
};

/// What of a run still exists when its end is reported.
enum class Remains : std::uint8_t {
  nothing,
  identity,    ///< its init, on its way out, still has the run's own user
  unkillable,  ///< processes that hang in the kernel (state D): what they hold is set aside
  overdue,     ///< the same, but none of them was found to hang: they had no time to end
};
/// Building namespaces takes milliseconds; a host that needs longer than this is stuck.
inline constexpr std::chrono::seconds setup_time_max{20};
/// The same of the network of a run, which is made within its set-up and says more of what is
/// wrong.
inline constexpr std::chrono::seconds network_setup_time_max{15};
static_assert(network_setup_time_max < setup_time_max);
/// From the first attempt to kill a run to the record that says that it cannot be killed.
inline constexpr std::chrono::seconds unkillable_after{5};

struct LauncherRecord {
  std::uint64_t run_number = 0;
  std::variant<RunStarted, RunSetupFailed, RunRefused, RunEnded, RunGone, RunPrepared, RunCounted>
      event;
  Remains remains = Remains::nothing;  ///< only beside the record that ends a run
  bool operator==(const LauncherRecord&) const = default;
};

/// Records <-> bytes, one per message. Pure; the decoders are safe on any bytes (fuzz targets).
///
/// Errors: invalid_input for a foreign version, an unknown kind, a torn or overlong record.
std::string encode_request(const LauncherRequest& request);
Result<LauncherRequest> decode_request(std::string_view bytes);
std::string encode_record(const LauncherRecord& record);
Result<LauncherRecord> decode_record(std::string_view bytes);

}  // namespace satellite::sandbox
