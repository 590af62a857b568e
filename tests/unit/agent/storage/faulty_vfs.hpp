#pragma once

#include <atomic>

namespace satellite::tests {

/// A disk that fails when it is told to: a file layer of SQLite's between it and the real one.
///
/// Shape:  one for the whole process, registered by its first user under `name`; each file reads
///         and writes through to the real file system until a fault is set.
struct FaultyDisk {
  static constexpr const char* name = "faulty";

  enum class Fault {
    none,
    full,         ///< writes end with ENOSPC
    io,           ///< writes end with EIO
    short_write,  ///< half of the bytes arrive, then EIO
    sync,         ///< fsync ends with EIO
    read,         ///< reads end with EIO
    hang,         ///< writes do not end before the fault does
  };
  static std::atomic<Fault> fault;
  /// How many calls go well before the fault begins.
  static std::atomic<int> grace;
  static std::atomic<int> syncs;  ///< that were asked for

  static void install();
  static void heal() { fault = Fault::none; }
};

}  // namespace satellite::tests
