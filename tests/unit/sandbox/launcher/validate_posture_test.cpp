#include "sandbox/launcher/verify/validate_posture.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <string>

using namespace satellite::sandbox;

namespace {

bool misses_the_hosts_root(const Expectation& expected, const Posture& seen) {
  const auto missing = missing_of(expected, seen);
  return std::any_of(missing.begin(), missing.end(), [](const std::string& one) {
    return one.find("file system of the host's root") != std::string::npos;
  });
}

}  // namespace

TEST_CASE("a run whose root is not the disk that it is to show is refused, other disks may miss") {
  Expectation expected;
  expected.confined_filesystem = true;
  Posture seen;
  CHECK_FALSE(misses_the_hosts_root(expected, seen));
  expected.disks = {{"/", "ext4", "254:0"}, {"/data", "xfs", "254:1"}};
  seen.shown_disks = 2;
  CHECK(misses_the_hosts_root(expected, seen));
  seen.shown_disks = 1;
  CHECK_FALSE(misses_the_hosts_root(expected, seen));
  expected.disks.erase(expected.disks.begin());
  seen.shown_disks = 0;
  CHECK_FALSE(misses_the_hosts_root(expected, seen));
}

TEST_CASE("a run that is to show the host's processes is measured for what makes that harmless") {
  Expectation expected;
  expected.own_namespaces = expected.confined_filesystem = expected.shows_processes = true;
  Posture seen;
  seen.own_mount = seen.own_ipc = seen.own_uts = seen.own_root = true;
  seen.mounts_read = seen.private_tmp = seen.no_new_privileges = true;
  seen.shows_processes = seen.keeps_signals = true;
  CHECK(missing_of(expected, seen).empty());
  for (bool Posture::*const fact : {&Posture::shows_processes, &Posture::keeps_signals}) {
    Posture without = seen;
    without.*fact = false;
    CHECK(missing_of(expected, without).size() == 1);
  }
  // Before Landlock had such a scope: by an init of another user, real and saved.
  expected.identity = Identity{10, 10};
  expected.init_uid = 11;
  seen.uid = seen.gid = {10, 10, 10, 10};
  CHECK(missing_of(expected, seen).size() == 1);
  seen.init_uid = {11, 10, 11, 10};
  CHECK(missing_of(expected, seen).empty());
  for (std::size_t i = 0; i < seen.init_uid.size(); ++i) {
    Posture other = seen;
    other.init_uid[i] = i % 2 == 0 ? 10 : 11;
    CHECK(missing_of(expected, other).size() == 1);
  }
  expected.init_uid = 0;
  Posture apart = seen;
  apart.own_pid = true;
  CHECK(missing_of(expected, apart).size() == 1);
  // And one that is not to show them has its own.
  expected.shows_processes = false;
  CHECK(missing_of(expected, seen).size() == 1);
}
