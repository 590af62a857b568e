#include "tests/support/host_disks.hpp"

#include "protocol/vocabulary/unique_fd.hpp"

#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <stdexcept>

namespace satellite::tests {
namespace fs = std::filesystem;
namespace {

void must_make(bool done, const std::string& what) {
  if (!done) throw std::runtime_error("host disks: " + what);
}

void run_quietly(const std::string& command) {
  must_make(std::system((command + " >/dev/null 2>&1").c_str()) == 0, command);
}

void write_for_all(const std::string& path, unsigned mode) {
  std::ofstream(path) << "#!/bin/sh\nexit 0 # SECRET\n";
  fs::permissions(path, fs::perms(mode));
}

/// It listens for as long as the process lives.
void listen_there(const std::string& path) {
  const int socket = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, path.c_str(), sizeof(address.sun_path) - 1);
  must_make(::bind(socket, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0 &&
                ::listen(socket, 64) == 0,
            "listen at " + path);
  fs::permissions(path, fs::perms(0777));
}

void put_content(const std::string& place) {
  fs::create_directory(place + "/pub");
  fs::permissions(place + "/pub", fs::perms(0755));
  write_for_all(place + "/secret", 0666);
  write_for_all(place + "/pub/secret", 0666);
  write_for_all(place + "/program", 0777);
  listen_there(place + "/socket");
}

}  // namespace

bool HostDisks::is_possible() {
  return ::geteuid() == 0 && ::access("/dev/loop-control", R_OK | W_OK) == 0 &&
         std::system("command -v mkfs.ext4 >/dev/null 2>&1") == 0;
}

HostDisks::HostDisks() {
  std::string path = "/var/tmp/satellite-disks-XXXXXX";
  must_make(::mkdtemp(path.data()) != nullptr, "mkdtemp");
  path_ = path;
  fs::permissions(path_, fs::perms(0755));
  for (const auto& name : names()) fs::create_directory(at(name));
}

HostDisks::~HostDisks() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

void HostDisks::mount_disk(const std::string& name) const {
  const std::string image = images_.path() / (name + ".image");
  run_quietly("truncate -s 32M " + image);
  run_quietly("mkfs.ext4 -q -F -m 0 " + image);
  run_quietly("mount -o loop " + image + " " + at(name));
  fs::permissions(at(name), fs::perms(0755));
}

void HostDisks::mount_all() const {
  mount_disk(closed);
  mount_disk(full);
  const auto memory = [this](const char* name, const char* options) {
    must_make(::mount("memory", at(name).c_str(), "tmpfs", 0, options) == 0, name);
  };
  memory(plain, "size=24m,mode=0755");
  memory(open, "size=16m,mode=1777");
  for (const auto& name : names()) put_content(at(name));
  fs::remove(at(full) + "/lost+found");
  must_make(::mount(nullptr, at(full).c_str(), nullptr, MS_REMOUNT | MS_RDONLY, nullptr) == 0,
            "remount");
}

}  // namespace satellite::tests
