#include "tests/support/loop_disk.hpp"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cstdlib>
#include <stdexcept>

namespace satellite::tests {
namespace {

void need(bool done, const std::string& what) {
  if (!done) throw std::runtime_error("loop disk: " + what);
}

void run(const std::string& command) {
  need(std::system((command + " >/dev/null 2>&1").c_str()) == 0, command);
}

/// Waits for the end of the test, whichever, and thaws: a frozen disk would outlive everybody.
int start_guard(int root) {
  int ends[2] = {-1, -1};
  need(::pipe2(ends, O_CLOEXEC) == 0, "pipe");
  const pid_t guard = ::fork();
  need(guard >= 0, "fork");
  if (guard == 0) {
    ::setsid();
    ::close(ends[1]);
    char byte = 0;
    while (::read(ends[0], &byte, 1) < 0) {
    }
    ::ioctl(root, FITHAW, 0);
    ::_exit(0);
  }
  ::close(ends[0]);
  return ends[1];
}

}  // namespace

bool LoopDisk::is_possible() {
  return ::geteuid() == 0 && ::access("/dev/loop-control", R_OK | W_OK) == 0 &&
         std::system("command -v mkfs.ext4 >/dev/null 2>&1") == 0;
}

LoopDisk::LoopDisk() {
  const std::string image = directory_.path() / "image";
  run("truncate -s 32M " + image);
  run("mkfs.ext4 -q -F -m 0 " + image);
  std::filesystem::create_directory(path());
  run("mount -o loop " + image + " " + path().string());
  root_ = ::open(path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  need(root_ >= 0, "open");
  guard_ = start_guard(root_);
}

LoopDisk::~LoopDisk() {
  thaw();
  ::close(guard_);
  ::close(root_);
  ::umount2(path().c_str(), MNT_DETACH);
}

void LoopDisk::freeze() {
  need(::ioctl(root_, FIFREEZE, 0) == 0, "freeze");
}

void LoopDisk::thaw() {
  ::ioctl(root_, FITHAW, 0);
}

void LoopDisk::fail() {
  // ext4's own way to test it (Documentation/admin-guide/ext4.rst, "abort").
  need(::mount(nullptr, path().c_str(), nullptr, MS_REMOUNT, "abort") == 0, "abort");
}

}  // namespace satellite::tests
