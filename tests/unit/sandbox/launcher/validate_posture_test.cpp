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
