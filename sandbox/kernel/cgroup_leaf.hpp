#pragma once

#include "protocol/vocabulary/result.hpp"
#include "protocol/vocabulary/unique_fd.hpp"
#include "sandbox/kernel/cgroup_limits.hpp"

#include <sys/types.h>
#include <cstdint>
#include <string>
#include <vector>

namespace satellite::sandbox::kernel {

/// What a group counted, for the result of its run.
struct CgroupUsage {
  std::uint64_t memory_kills = 0;   ///< processes the kernel killed for want of memory
  bool memory_limit_hit = false;    ///< and it was this group's own limit
  std::uint64_t refused_forks = 0;  ///< processes that pids.max did not let start
  std::uint64_t user_microseconds = 0, system_microseconds = 0;
  std::uint64_t memory_peak = 0;  ///< bytes; 0 = this kernel does not tell
};

/// The control group of one run, limited before anything is in it.
///
/// Shape:  made empty; the run's first process starts in it (clone3 with CLONE_INTO_CGROUP), so
///         that no instruction runs outside. Destroying it ends what is left in it and removes it.
/// Errors: make: from the calls, and io_failed when a limit does not read back as written.
class CgroupLeaf {
 public:
  static Result<CgroupLeaf> make(int parent, const std::string& parent_path, std::string name,
                                 const std::vector<CgroupWrite>& limits);
  CgroupLeaf(CgroupLeaf&& other) noexcept;
  CgroupLeaf& operator=(CgroupLeaf&& other) noexcept;
  ~CgroupLeaf();

  /// Its directory, as clone3 wants it.
  int descriptor() const { return directory_.get(); }
  const std::string& path() const { return path_; }

  /// Whether `process` (a directory of /proc) is in it, and which limits it has.
  Result<MeasuredCgroup> measure(int process) const;
  CgroupUsage usage() const;
  /// Kills everything in it at once, however fast it forks; false where the kernel cannot.
  bool kill() const;
  /// Whether nothing is left in it; kills what is. Does not wait for that to die.
  bool is_emptied() const;

 private:
  CgroupLeaf(int parent, std::string name, std::string path, UniqueFd directory)
      : parent_(parent),
        name_(std::move(name)),
        path_(std::move(path)),
        directory_(std::move(directory)) {}

  int parent_;  ///< the tree's; it outlives its leaves
  std::string name_, path_;
  UniqueFd directory_;
};

/// Kills what is in the group `name` of `parent`, waits for its end within a bound, removes it.
/// False = something in it cannot die; the group stays for a later sweep.
bool remove_group(int parent, const std::string& name);

/// Writes a file of a group in one piece, as these files want it.
Result<void> write_group_file(int group, const char* file, const std::string& text);

}  // namespace satellite::sandbox::kernel
