#pragma once

#include "protocol/vocabulary/result.hpp"
#include "protocol/vocabulary/unique_fd.hpp"

#include <sys/types.h>
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace satellite::sandbox::kernel {

/// How the user of a run reaches its scratch directory.
enum class ScratchReach {
  bound,   ///< root binds it into the run's own root: no path of the host leads there
  by_path  ///< the run's user walks there from the host's root
};

struct ScratchOwner {
  uid_t uid = 0;
  gid_t gid = 0;
  ScratchReach reach = ScratchReach::by_path;
};

/// The directory of one agent under which every run gets its scratch directory.
///
/// Shape:  `<parent>/csat-<random>/runs/run-<number>/scratch`. The area is locked (flock) for as
///         long as one process of the agent lives. A lock that can be taken proves that an area
///         is stale; a pid would not, since it can be used again or belong to another container.
///         Until it is locked it is called `new-csat-<random>`, which counts as stale after an
///         hour. The script owns `scratch` and may open it to everybody, so the directories above
///         it keep other users out: without root an area of mode 0700; with root a `run-<number>`
///         that belongs to root, 0700 where it is bound, 0710 with the script's group where it is
///         reached by path. Such a directory is used again for a later run, which has it under
///         another name: removing one may cost more (4 ms on an ext4 that discards) than a run. So
///         is a `scratch` on which the run left no trace (empty, and as it was made): ext4 looks
///         for a new inode among all that were removed in the last seconds.
/// Errors: from the calls; a stale area that cannot be removed is left for the next start.
class ScratchArea {
 public:
  static Result<ScratchArea> make(const std::string& parent);

  /// The directory that holds those of the runs, and beside them at most roots on a disk.
  const std::string& path() const { return runs_path_; }
  /// Where a run's scratch directory lies.
  std::string directory_of(std::uint64_t run_number) const;
  /// `run-<number>` when `directory` is what directory_of() says of some number; else
  /// not_permitted. A compromised agent must not make a privileged launcher create, give away or
  /// remove anything else.
  Result<std::string> name_of(std::string_view directory) const;
  /// What a forked process must keep open to go on using the area.
  std::array<int, 3> descriptors() const { return {directory_.get(), parent_.get(), runs_.get()}; }

  /// Makes the directories of one run: exclusive, the script's own with mode 0700. An area that
  /// somebody removed (cleaners of /tmp do) is made anew first, and its parent with it.
  Result<void> make_directory(const std::string& name, const ScratchOwner& owner);
  /// Whether a run's scratch directory is still there.
  bool holds(const std::string& name) const;

  /// Removes what a run leaves behind if that is next to nothing, within a bound that does not
  /// depend on the script; false = it has to be done by remove_directory(). Nobody but root can
  /// walk there any more. The caller made sure that nothing of the run is alive.
  bool remove_at_once(const std::string& name);
  /// The same without a bound: for a process that nobody waits for.
  void remove_directory(const std::string& name) const;

  /// Removes the whole area; only at the end of the last process that uses it.
  void remove() const;
  /// Removes areas beside this one that no living process holds. Without a bound.
  void sweep_stale_neighbours() const;

 private:
  struct Facts {
    dev_t device = 0;
    ino_t inode = 0;
    uid_t uid = 0;
    gid_t gid = 0;
    mode_t mode = 0;
  };

  /// What an owner can set on a directory besides mode and attributes: ioctl_fsxattr(2).
  struct Traits {
    std::uint32_t flags = 0, extent_size = 0, project = 0, copied_extent_size = 0;
    bool operator==(const Traits&) const = default;
  };
  /// A `run-<number>` that waits for another number.
  struct Spare {
    std::string name;
    bool has_scratch = false;
  };
  enum class Gate { none, empty, with_scratch };

  static Traits traits_of(int directory);
  bool is_in_place() const;
  Result<void> make_area(const std::string& name);
  Result<void> make_anew();
  Gate take_or_make_gate(const std::string& name);
  bool make_scratch(const std::string& name, Gate gate);
  bool is_as_made(int parent, const std::string& inner) const;
  bool retire_gate(const std::string& name, Gate gate);

  std::string parent_path_, path_, runs_path_;
  UniqueFd parent_, directory_, runs_;
  Facts parent_facts_, facts_;
  std::vector<Spare> spare_gates_;    ///< in the area, closed
  std::optional<Traits> new_traits_;  ///< of a directory that was just made
  std::uint64_t spare_number_last_ = 0;
};

}  // namespace satellite::sandbox::kernel
