#pragma once

#include "protocol/vocabulary/unique_fd.hpp"
#include "sandbox/launcher/process/disk_root.hpp"
#include "sandbox/launcher/process/host_file_stamps.hpp"
#include "sandbox/launcher/process/host_file_watch.hpp"
#include "sandbox/launcher/process/namespace_builder.hpp"
#include "sandbox/launcher/process/parent_namespaces.hpp"
#include "sandbox/launcher/wire/launch_order.hpp"

#include <poll.h>
#include <sys/types.h>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

namespace satellite::sandbox {

struct RunPlace;

/// A root of which each run gets a copy: the mounts of a namespace in which nothing lives.
struct RootTemplate {
  std::vector<FileStep> steps;  ///< what it was made of
  HostFileStamps files;
  HostFileWatch watch;  ///< of those that can be watched
  UniqueFd mount_namespace;
  std::shared_ptr<const DiskRoot> disk_root;  ///< null = all of it is in memory
  /// Of its mounts: what all its copies share. Runs need it for longer than the template lives.
  std::shared_ptr<const std::set<std::string>> devices;
};

/// The templates for the kinds of runs in use, made beside the runs.
///
/// Shape:  a template is used for as long as the host would give the same: the same files, and no
///         mount made or removed since. One that is not is given up and made anew, never mended.
///         Few are kept; the least recently used goes. A run that finds none builds its own root.
///         Without root the parent namespaces of its runs come first. Nothing here
///         waits: the loop calls work_off() and on_exit().
class RootTemplates {
 public:
  using Clock = std::chrono::steady_clock;

  /// The scratch area is what the runs of a launcher without root are to be given parts of.
  RootTemplates(bool launcher_is_root, std::string scratch_area, bool makes_templates,
                DiskRoot::Unused unused_roots);
  RootTemplates(const RootTemplates&) = delete;
  RootTemplates& operator=(const RootTemplates&) = delete;

  /// The template for this order, if there is one; else making one is begun. Valid until the next
  /// call of anything here.
  const RootTemplate* take(const LaunchOrder& order);
  /// The parent namespaces of runs, if this launcher has no root and they are made; making
  /// them begins with the first run that take() is asked for.
  const ParentNamespaces* parents() const { return parents_ ? &*parents_ : nullptr; }
  /// Gives up all that are kept: what one of them shows of the host is not what it has to be.
  void forget() { kept_.clear(); }
  /// Changes whenever a mount of the host comes, goes or changes.
  std::uint64_t mounts_generation();
  /// What a run has to know of the host's mounts before it is prepared.
  void tell_of_mounts(RunPlace& place);
  /// As it was when it was last looked at, by watch() and work_off() among others.
  std::uint64_t last_generation() const { return generation_; }
  std::size_t count() const { return kept_.size(); }

  void watch(std::vector<pollfd>& watched) const;
  void work_off(std::span<const pollfd> watched);
  /// Whether the process belonged here.
  bool on_exit(pid_t pid) { return builder_.on_exit(pid); }
  void fail_overdue(Clock::time_point now);
  std::optional<Clock::time_point> deadline() const { return builder_.deadline(); }
  std::vector<pid_t> processes() const { return builder_.processes(); }
  void end();

 private:
  /// A template while it is made.
  struct Unfinished {
    std::unique_ptr<RootTemplate> made;
    std::uint64_t generation = 0;
  };

  void look_for_changed_mounts();
  /// False when making directories on the host's disks made a template wait: a disk that does not
  /// answer would hold up each run, and none could be killed. Until the host's mounts change.
  bool may_make_carriers(Clock::time_point now) const;
  static bool is_current(RootTemplate& one);
  void begin(const LaunchOrder& order);
  bool parents_show_the_area() const;
  void begin_parents();
  bool take_parents(std::vector<UniqueFd> sent);
  void take_builders_answer();
  void keep(Unfinished finished);

  bool is_root_ = false, makes_templates_ = false;
  std::string scratch_area_;
  DiskRoot::Unused unused_roots_;
  UniqueFd mounts_;  ///< mountinfo of this process, whose poll(2) tells of changes
  std::uint64_t generation_ = 0;
  std::vector<std::unique_ptr<RootTemplate>> kept_;  ///< the latest used first
  std::optional<ParentNamespaces> parents_;
  NamespaceBuilder builder_;
  std::optional<std::uint64_t> silent_generation_;  ///< when a disk did not answer
  std::optional<Unfinished> unfinished_;            ///< what the builder makes; else the parents
};

}  // namespace satellite::sandbox
