#include "sandbox/kernel/proc_facts.hpp"

#include <catch2/catch.hpp>

using namespace satellite::sandbox::kernel;

// Lines as proc(5) describes them; 4194560 is a process that runs, 4194564 one that dies.

TEST_CASE("a process that has begun to die is told by its flags, whatever its name holds") {
  for (const std::string name : {"slirp4netns", "a b", "x) R 1 1 1 0 -1 4", "((", ""}) {
    const std::string begin = "731 (" + name + ") S 700 731 731 0 -1 ";
    INFO(begin);
    REQUIRE(parse_is_exiting(begin + "4194560 120 0 0 0"));
    CHECK_FALSE(*parse_is_exiting(begin + "4194560 120 0 0 0"));
    REQUIRE(parse_is_exiting(begin + "4194564 120 0 0 0"));
    CHECK(*parse_is_exiting(begin + "4194564 120 0 0 0"));
  }
}

TEST_CASE("what is no line of a process's state is not taken for a living or a dying one") {
  for (const std::string text : {"", "731", "731 (x)", "731 (x) S 1 2 3", "731 (x) S 1 2 3 4 5 ",
                                 "731 (x) S 1 2 3 4 5 six 7"}) {
    INFO(text);
    CHECK_FALSE(parse_is_exiting(text));
  }
}

TEST_CASE("a mount is covered where another one lies on its root, and a root never is") {
  const auto mounts = parse_mountinfo(
      "20 1 0:30 / / ro,nosuid - tmpfs tmpfs ro\n"
      "21 20 0:31 / /proc rw,nosuid - proc proc rw\n"
      "22 21 0:32 / /proc rw,nosuid - proc proc rw\n"
      "23 22 0:33 / /proc/sys ro - proc proc rw\n"
      "24 20 0:34 / / rw - tmpfs tmpfs rw\n"
      "25 99 0:35 / /proc rw - proc proc rw\n");
  REQUIRE(mounts);
  std::vector<bool> covered;
  for (const auto& mount : *mounts) covered.push_back(is_covered(mount, *mounts));
  CHECK(covered == std::vector<bool>{false, true, false, false, false, false});
  CHECK_FALSE(parse_mountinfo("x 1 0:30 / / ro - tmpfs tmpfs ro\n"));
}

TEST_CASE("mounts propagate only where each of them is shared or a slave") {
  const std::string shared = "22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n";
  const std::string slave = "30 22 0:25 / /run rw master:7 propagate_from:2 - tmpfs tmpfs rw\n";
  const std::string both = "31 22 0:26 / /srv rw shared:9 master:7 - tmpfs tmpfs rw\n";
  CHECK(every_mount_propagates(shared + slave + both));
  CHECK(every_mount_propagates(shared + "32 22 0:27 / /a rw shared:3 - tmpfs tmpfs rw"));
  for (const std::string other :
       {"40 22 0:30 / /mnt rw,relatime - tmpfs tmpfs rw\n",
        "40 22 0:30 / /mnt rw unbindable - tmpfs tmpfs rw\n",
        "40 22 0:30 / /mnt rw - tmpfs shared:1 rw,master:1\n",
        "40 22 0:30 / /shared:1 rw - tmpfs shared:1 rw\n", "\n", "40 22\n"}) {
    INFO(other);
    CHECK_FALSE(every_mount_propagates(shared + other));
    CHECK_FALSE(every_mount_propagates(other + shared));
  }
  CHECK_FALSE(every_mount_propagates(""));
}
