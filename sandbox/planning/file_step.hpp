#pragma once

#include "sandbox/launcher/bare/file_step_kind.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace satellite::sandbox {

/// A FileStepKind with what it needs.
struct FileStep {
  FileStepKind kind = FileStepKind::directory;
  std::string target;
  std::string source;
  std::uint64_t size = 0;
  std::uint32_t mode = 0;
  bool optional = false;  ///< not there on this host: go on
  bool writable = false;
  bool operator==(const FileStep&) const = default;
};

/// What a root of the run's own shows beyond what every run sees.
struct OwnFiles {
  struct Text {
    std::string path, content;  ///< the path absolute
    bool operator==(const Text&) const = default;
  };
  std::vector<Text> texts;
  std::string node_modules;  ///< a directory of the host, shown at /node_modules; empty = none
};

/// What the native engine does for one run, beyond what every engine does.
///
/// Shape:  the first `root_steps` steps make a root that is the same for every run of such a plan
///         and is never written to again: it may be made once, as a template. The others belong
///         to one run and change nothing in it: they mount, and write into what they mounted.
///         0 = nothing of it can be shared.
struct NativePlan {
  bool confined = false;
  bool own_network = false;
  bool root_owned = false;  ///< namespaces that belong to the host's own user namespace
  std::uint32_t root_steps = 0;
  /// The root is a directory on the file system that the scratch directory lies on, which is the
  /// one of the host's root; only its /etc and /dev are in memory.
  bool root_on_disk = false;
  /// The run has no pid namespace of its own, and the host's /proc.
  bool shows_processes = false;
  std::vector<FileStep> steps;
  bool operator==(const NativePlan&) const = default;
};

}  // namespace satellite::sandbox
