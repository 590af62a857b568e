#include "tests/unit/agent/storage/faulty_vfs.hpp"

#include <sqlite3.h>

#include <chrono>
#include <cstring>
#include <thread>

namespace satellite::tests {

std::atomic<FaultyDisk::Fault> FaultyDisk::fault{FaultyDisk::Fault::none};
std::atomic<int> FaultyDisk::grace{0};
std::atomic<int> FaultyDisk::syncs{0};

namespace {

using Fault = FaultyDisk::Fault;

struct FaultyFile {
  sqlite3_file base;
  sqlite3_file* real;  ///< behind this one, in the same piece of memory
};

sqlite3_file* real_of(sqlite3_file* file) {
  return reinterpret_cast<FaultyFile*>(file)->real;
}

bool strikes(Fault kind) {
  return FaultyDisk::fault == kind && FaultyDisk::grace.fetch_sub(1) <= 0;
}

int close_file(sqlite3_file* file) {
  sqlite3_file* const real = real_of(file);
  return real->pMethods != nullptr ? real->pMethods->xClose(real) : SQLITE_OK;
}
int read_file(sqlite3_file* file, void* to, int size, sqlite3_int64 at) {
  if (strikes(Fault::read)) return SQLITE_IOERR_READ;
  return real_of(file)->pMethods->xRead(real_of(file), to, size, at);
}
int write_file(sqlite3_file* file, const void* from, int size, sqlite3_int64 at) {
  while (FaultyDisk::fault == Fault::hang) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  if (strikes(Fault::full)) return SQLITE_FULL;
  if (strikes(Fault::io)) return SQLITE_IOERR_WRITE;
  if (strikes(Fault::short_write)) {
    real_of(file)->pMethods->xWrite(real_of(file), from, size / 2, at);
    return SQLITE_IOERR_WRITE;
  }
  return real_of(file)->pMethods->xWrite(real_of(file), from, size, at);
}
int truncate_file(sqlite3_file* file, sqlite3_int64 size) {
  return real_of(file)->pMethods->xTruncate(real_of(file), size);
}
int sync_file(sqlite3_file* file, int flags) {
  ++FaultyDisk::syncs;
  if (strikes(Fault::sync)) return SQLITE_IOERR_FSYNC;
  return real_of(file)->pMethods->xSync(real_of(file), flags);
}
int size_of_file(sqlite3_file* file, sqlite3_int64* size) {
  return real_of(file)->pMethods->xFileSize(real_of(file), size);
}
int lock_file(sqlite3_file* file, int level) {
  return real_of(file)->pMethods->xLock(real_of(file), level);
}
int unlock_file(sqlite3_file* file, int level) {
  return real_of(file)->pMethods->xUnlock(real_of(file), level);
}
int check_lock(sqlite3_file* file, int* out) {
  return real_of(file)->pMethods->xCheckReservedLock(real_of(file), out);
}
int control_file(sqlite3_file* file, int operation, void* argument) {
  return real_of(file)->pMethods->xFileControl(real_of(file), operation, argument);
}
int sector_size(sqlite3_file* file) {
  return real_of(file)->pMethods->xSectorSize(real_of(file));
}
int characteristics(sqlite3_file* file) {
  return real_of(file)->pMethods->xDeviceCharacteristics(real_of(file));
}

// Version 1: no shared memory, which an exclusive WAL database does not need, and no mmap.
const sqlite3_io_methods methods{
    1,         close_file,  read_file,  write_file,   truncate_file, sync_file,       size_of_file,
    lock_file, unlock_file, check_lock, control_file, sector_size,   characteristics, nullptr,
    nullptr,   nullptr,     nullptr,    nullptr,      nullptr};

sqlite3_vfs* real_vfs = nullptr;
sqlite3_vfs faulty{};

int open_file(sqlite3_vfs*, const char* name, sqlite3_file* file, int flags, int* out) {
  auto* const ours = reinterpret_cast<FaultyFile*>(file);
  ours->real = reinterpret_cast<sqlite3_file*>(ours + 1);
  ours->base.pMethods = nullptr;
  const int opened = real_vfs->xOpen(real_vfs, name, ours->real, flags, out);
  if (opened == SQLITE_OK) ours->base.pMethods = &methods;
  return opened;
}

}  // namespace

void FaultyDisk::install() {
  heal();
  grace = 0;
  if (real_vfs != nullptr) return;
  real_vfs = sqlite3_vfs_find(nullptr);
  faulty = *real_vfs;
  faulty.zName = FaultyDisk::name;
  faulty.szOsFile = static_cast<int>(sizeof(FaultyFile)) + real_vfs->szOsFile;
  faulty.pNext = nullptr;
  faulty.xOpen = open_file;
  sqlite3_vfs_register(&faulty, 0);
}

}  // namespace satellite::tests
