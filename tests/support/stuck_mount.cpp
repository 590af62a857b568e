#include "tests/support/stuck_mount.hpp"

#include <fcntl.h>
#include <linux/fuse.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <array>
#include <cstring>
#include <stdexcept>

namespace satellite::tests {
namespace {

template <typename Body>
void answer(int device, const fuse_in_header& question, const Body& body) {
  std::array<std::byte, sizeof(fuse_out_header) + sizeof(Body)> bytes{};
  fuse_out_header head{};
  head.len = bytes.size();
  head.unique = question.unique;
  std::memcpy(bytes.data(), &head, sizeof(head));
  std::memcpy(bytes.data() + sizeof(head), &body, sizeof(body));
  static_cast<void>(!::write(device, bytes.data(), bytes.size()));
}

void refuse(int device, const fuse_in_header& question) {
  const fuse_out_header head{sizeof(head), -ENOSYS, question.unique};
  static_cast<void>(!::write(device, &head, sizeof(head)));
}

void take_question(int device) {
  static std::array<std::byte, 1U << 18U> bytes;
  if (::read(device, bytes.data(), bytes.size()) < static_cast<ssize_t>(sizeof(fuse_in_header))) {
    return;
  }
  fuse_in_header question{};
  std::memcpy(&question, bytes.data(), sizeof(question));
  if (question.opcode == FUSE_INIT) {
    fuse_init_out init{};
    init.major = FUSE_KERNEL_VERSION;
    init.minor = 31;
    init.max_write = 4096;
    return answer(device, question, init);
  }
  if (question.opcode == FUSE_GETATTR) {
    fuse_attr_out attributes{};
    attributes.attr_valid = 3600;
    attributes.attr.ino = FUSE_ROOT_ID;
    attributes.attr.mode = S_IFDIR | 0755;
    attributes.attr.nlink = 2;
    return answer(device, question, attributes);
  }
  const bool silent = question.opcode == FUSE_LOOKUP || question.opcode == FUSE_FORGET ||
                      question.opcode == FUSE_INTERRUPT;
  if (!silent) refuse(device, question);
}

[[noreturn]] void serve_nothing(int device, int release) {
  for (;;) {
    pollfd watched[2] = {{device, POLLIN, 0}, {release, POLLIN, 0}};
    ::poll(watched, 2, -1);
    if (watched[1].revents != 0) ::_exit(0);
    if (watched[0].revents != 0) take_question(device);
  }
}

void must_hang(bool done, const char* what) {
  if (!done) throw std::runtime_error(std::string("the stuck mount: ") + what);
}

}  // namespace

bool StuckMount::is_possible() {
  const UniqueFd device(::open("/dev/fuse", O_RDWR | O_CLOEXEC));
  return ::geteuid() == 0 && device && ::access(directory, F_OK) == 0;
}

StuckMount::StuckMount() {
  must_hang(::unshare(CLONE_NEWNS) == 0, "unshare");
  must_hang(::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0, "private mounts");
  const UniqueFd device(::open("/dev/fuse", O_RDWR | O_CLOEXEC));
  must_hang(bool{device}, "/dev/fuse");
  const std::string options =
      "fd=" + std::to_string(device.get()) + ",rootmode=40000,user_id=0,group_id=0,allow_other";
  must_hang(::mount("stuck", directory, "fuse", MS_NOSUID | MS_NODEV, options.c_str()) == 0,
            "mount");
  release_ = UniqueFd(::eventfd(0, EFD_CLOEXEC));
  must_hang(bool{release_}, "eventfd");
  const pid_t parent = ::getpid();
  server_ = ::fork();
  must_hang(server_ >= 0, "fork");
  if (server_ > 0) return;
  // Its end is the end of the file system: the last one who holds the device is it.
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(1);
  serve_nothing(device.get(), release_.get());
}

void StuckMount::release() const {
  static_cast<void>(::eventfd_write(release_.get(), 1));
}

StuckMount::~StuckMount() {
  release();
  ::waitpid(server_, nullptr, 0);
  ::umount2(directory, MNT_DETACH);
}

}  // namespace satellite::tests
