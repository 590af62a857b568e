#pragma once

#include <cstdint>

namespace satellite::sandbox {

/// One step of building a run's rootfs. The numbers travel in the launch order.
enum class FileStepKind : std::uint32_t {
  directory = 0,   ///< makes it; there already is fine
  link,            ///< symbolic link to `source`
  text,            ///< new file that holds `source`
  copy,            ///< new file with the content of a small host file that everybody may read
  mirror,          ///< as it is on the host: a small file copied, else a read-only bind; a link
                   ///< into /usr or in the root itself as a link, another one as what it leads to
  bind,            ///< the host's `source`, with everything mounted below it
  device,          ///< the host's device node `source`, bound
  memory,          ///< fresh memory filesystem of at most `size` bytes
  processes,       ///< proc of the run's own pid namespace
  terminals,       ///< devpts of its own
  read_only,       ///< what is there already, made read-only
  mask,            ///< nothing to see: an empty file or directory instead
  setting,         ///< writes `source` into a file of proc/sys
  place,           ///< an empty file that a later step mounts over
  node,            ///< a device node of its own, number `size`; bound where that is forbidden
  append,          ///< `source` at the end of a file that earlier steps made, or a new one
  own_text,        ///< a file that holds `source`, mounted read-only over a place
  seal,            ///< a mount of the run's own, made read-only when everything in it has its place
  shown,           ///< the host's `source`, which holds no links, read-only and never executed
  shown_programs,  ///< the same, and executed
  disk,            ///< the file system at the host's place `source`, device `size`, by a directory
                   ///< of it that gives nothing away; where there is none, nothing. `mode` is 1
                   ///< where root alone can change its root directory, else 0
  host_processes,  ///< the host's /proc, read-only
  last = host_processes,
};

}  // namespace satellite::sandbox
