#pragma once

#include "protocol/vocabulary/byte_count.hpp"
#include "protocol/vocabulary/result.hpp"
#include "protocol/vocabulary/unique_fd.hpp"
#include "sandbox/launcher/wire/records.hpp"

#include <sys/types.h>
#include <cstdint>
#include <string>
#include <utility>

namespace satellite::sandbox {

/// What one run has of the state of its check: a memory file system of its own, and the agent's
/// file with the packed state of before, which gets that of now.
class RunState {
 public:
  RunState() = default;
  explicit RunState(std::uint64_t bytes) : size_max_{bytes} {}

  bool is_given() const { return size_max_.value > 0; }
  void take_file(UniqueFd file) { file_ = std::move(file); }
  /// While the script's process still is our code. From here on the memory exists for as long as
  /// this does, whatever becomes of the run's namespaces.
  Result<void> open_directory(pid_t script);

  /// The file has something that the directory lacks.
  bool wants_filling() const;
  /// Called once every process of the run is dead; true if what they left is to be packed. An empty
  /// directory is dealt with at once.
  bool wants_packing(bool was_killed);

  /// From then on until packed(): the run has ended, and only what it left is still copied.
  bool is_being_packed() const { return is_asked_ && directory_; }

  int directory() const { return directory_.get(); }
  int file() const { return file_.get(); }
  ByteCount size_max() const { return size_max_; }

  /// False where a part of it is there: no script may take that for the state.
  bool filled(std::string problem);
  void packed(std::string problem);
  void write_to(RunEnded& end) const;

 private:
  bool lost_something() const;
  bool has_names() const;
  bool has_packed() const;

  ByteCount size_max_;
  UniqueFd file_, directory_;
  off_t size_of_empty_ = 0;
  bool is_asked_ = false;
  StateEnd end_ = StateEnd::none;
  std::string fill_problem_, pack_problem_;
};

}  // namespace satellite::sandbox
