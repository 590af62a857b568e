#pragma once

#include "protocol/vocabulary/ids.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace satellite::agent {

/// What is kept on disk, as values. Times are seconds of the wall clock since 1970.

/// Which kind of message; control goes before results, whatever their age.
enum class Lane : std::uint8_t { control, results };

/// What is known of a kept message without its frame.
struct MessageFacts {
  std::uint64_t seq = 0;  ///< the order in which they were pushed, across restarts; also the key
  Lane lane = Lane::results;
  std::uint32_t size = 0;  ///< of the frame, in bytes
  std::int64_t at = 0;     ///< when it was pushed

  bool operator==(const MessageFacts&) const = default;
};

struct StoredFrame {
  std::uint64_t seq = 0;
  std::string frame;
};

/// Messages that were given up before the core had them. One marker tells the core of them all.
struct Gap {
  std::uint64_t count = 0;
  std::int64_t since = 0, until = 0;  ///< when the first and the last of them were pushed

  bool operator==(const Gap&) const = default;
};

/// A message of a run's stream, in a form that only its writer knows.
struct StoredRunMessage {
  std::uint64_t seq = 0;
  std::string bytes;
};

/// One accepted run.
struct StoredRun {
  RunId id;
  std::int64_t accepted_at = 0;
  std::uint64_t seq_bound = 0;  ///< no message of this or a higher number was ever sent
  bool finished = false;
  bool delivered = false;  ///< the core acknowledged the end

  bool operator==(const StoredRun&) const = default;
};

// Changes, applied in the order in which they were asked for.
struct PutMessage {
  MessageFacts facts;
  std::string frame;
};
struct RemoveMessages {
  std::vector<std::uint64_t> seqs;
};
struct SetGap {
  Gap gap;
};
struct AcceptRun {
  RunId id;
  std::int64_t at = 0;
  std::uint64_t seq_bound = 0;
};
struct RaiseSeqBound {
  RunId id;
  std::uint64_t seq_bound = 0;
};
struct FinishRun {
  RunId id;
  std::uint64_t seq = 0;
  std::string frame;  ///< its `script_finished`
};
/// The core has the end of it: nothing is to be sent any more. Also of a run that was accepted
/// while nothing could be written.
struct DeliverRun {
  RunId id;
  std::int64_t at = 0;
};
/// Delivered ones that were accepted before then, or are not among the latest so many.
struct ForgetRuns {
  std::int64_t accepted_before = 0;
  std::size_t count_max = 0;
};
struct PutRunMessages {
  RunId id;
  std::vector<StoredRunMessage> messages;
};
struct RemoveRunMessages {
  RunId id;
  std::uint64_t through = 0;  ///< this one, too
};

using StoreChange =
    std::variant<PutMessage, RemoveMessages, SetGap, AcceptRun, RaiseSeqBound, FinishRun,
                 DeliverRun, ForgetRuns, PutRunMessages, RemoveRunMessages>;

/// What was there when the database was opened: everything but frames.
struct StoreSnapshot {
  std::vector<MessageFacts> messages;  ///< by seq
  Gap gap;
  std::vector<StoredRun> runs;  ///< by time of acceptance
};

/// All that is kept of one run.
struct StoredRunStream {
  std::vector<StoredRunMessage> messages;  ///< by seq
  std::string finished_frame;              ///< empty if it has not ended
  std::uint64_t end_seq = 0;               ///< the number of that
};

/// What keeps the disk from its duty. Each is a state that an operator sees by this name.
enum class StoreFault {
  none,
  ephemeral,     ///< asked for: memory only
  no_directory,  ///< there is no state directory that can be used
  opening,       ///< not opened yet, or the disk does not answer
  full,          ///< ENOSPC, a quota, or less free space than the operator wants left
  read_only,     ///< the file system can only be read
  io_failed,     ///< EIO and whatever else a disk says
  hanging,       ///< it does not answer, as one behind a dead network does
  no_resources,  ///< no memory or no descriptors for the database
};
std::string_view name_of(StoreFault fault);

}  // namespace satellite::agent
