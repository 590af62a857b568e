#include "sandbox/planning/shown_disks.hpp"

#include "sandbox/planning/native_plan.hpp"
#include "sandbox/planning/shown_host.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <set>
#include <string>

using namespace satellite::sandbox;

namespace {

constexpr const char* small_host =
    "22 1 254:0 / / rw - ext4 /dev/vda rw\n"
    "23 22 0:21 / /proc rw - proc proc rw\n"
    "24 22 0:22 / /sys rw - sysfs sysfs rw\n"
    "25 22 0:6 / /dev rw - devtmpfs udev rw\n"
    "26 25 0:23 / /dev/shm rw - tmpfs tmpfs rw\n"
    "30 22 254:1 / /data rw - xfs /dev/vdb rw\n"
    "31 22 0:40 / /mnt/nfs rw - nfs4 server:/x rw\n";

HostPaths host_with_mounts(std::string mountinfo, std::set<std::string> unreachable = {}) {
  HostPaths host;
  host.mountinfo = [mountinfo] { return mountinfo; };
  host.is_reachable = [unreachable](const std::string& path) {
    return !unreachable.contains(path);
  };
  host.exists = [](const std::string&) { return false; };
  host.real_path = [](const std::string& path) { return std::optional(path); };
  host.is_directory = [](const std::string&) { return true; };
  return host;
}

DiskQuestion native_run(std::vector<std::string> shown_paths = {}) {
  return {true, "/tmp/csat-1/runs/run-1/scratch", std::move(shown_paths)};
}

ShownDisks disks_of(const std::string& mountinfo, std::vector<std::string> shown_paths = {}) {
  return find_disks(host_with_mounts(mountinfo), native_run(std::move(shown_paths)));
}

std::string targets_of(const ShownDisks& shown) {
  std::string text;
  for (const auto& disk : shown.disks) text += disk.target + " ";
  return text;
}

std::string covers_of(const ShownDisks& shown) {
  std::string text;
  for (const auto& cover : shown.covers) text += cover + " ";
  return text;
}

bool tells(const ShownDisks& shown, const std::string& part) {
  return std::any_of(shown.remarks.begin(), shown.remarks.end(), [&part](const std::string& one) {
    return one.find(part) != std::string::npos;
  });
}

}  // namespace

TEST_CASE("local file systems are shown with type and device, and the others told by name") {
  const auto shown = disks_of(small_host);
  CHECK(shown.disks == std::vector<ShownDisk>{{"/", "ext4", "254:0"}, {"/data", "xfs", "254:1"}});
  CHECK(shown.grants == std::vector<std::string>{"disk /", "disk /data"});
  CHECK(shown.are_whole());
  CHECK(shown.remarks.size() == 2);
  CHECK(
      tells(shown, "/dev (devtmpfs), /dev/shm (tmpfs) are not shown as disks: a run has its own"));
  CHECK(tells(shown, "/mnt/nfs (nfs4) is not shown as disks: who looks at a network file system"));
}

TEST_CASE("nothing is asked of what may wait for others, nor of what lies below it") {
  const std::string type = GENERATE("nfs4", "cifs", "9p", "ceph", "autofs", "fuse", "fuse.sshfs");
  auto host = host_with_mounts("22 1 254:0 / / rw - ext4 /dev/vda rw\n30 22 0:40 / /far rw - " +
                               type + " far rw\n31 30 254:1 / /far/near rw - ext4 /dev/vdb rw\n");
  host.is_reachable = [](const std::string& path) {
    FAIL("asked of " << path);
    return false;
  };
  const auto shown = find_disks(host, native_run());
  CHECK(targets_of(shown) == "/ ");
  CHECK(tells(shown, "/far (" + type + "), /far/near (ext4) are not shown"));
}

TEST_CASE("images and unknown kinds are told, and what belongs to the kernel is not worth a word") {
  const auto shown = disks_of(
      "22 1 254:0 / / rw - ext4 /dev/vda rw\n"
      "30 22 7:0 / /snap/core/1 ro - squashfs /dev/loop0 ro\n"
      "31 22 0:50 / /odd rw - oddfs odd rw\n"
      "32 22 0:51 / /var/lib/nfs/rpc_pipefs rw - mqueue x rw\n");
  CHECK(targets_of(shown) == "/ ");
  CHECK(shown.remarks.size() == 2);
  CHECK(tells(shown, "/snap/core/1 (squashfs) is not shown as disks: an image is always full"));
  CHECK(tells(shown, "/odd (oddfs) is not shown as disks: nothing is known"));
}

TEST_CASE("what lies in a file system that is shown without content cannot be shown") {
  const auto shown = disks_of(
      "22 1 254:0 / / rw - ext4 /dev/vda rw\n"
      "30 22 254:1 / /boot rw - ext4 /dev/vdb rw\n"
      "31 30 254:2 / /boot/efi rw - vfat /dev/vdc rw\n"
      "32 22 254:3 / /bootstrap rw - ext4 /dev/vdd rw\n");
  CHECK(targets_of(shown) == "/ /boot /bootstrap ");
  CHECK(tells(shown, "/boot/efi (vfat) is not shown as disks: it lies below another one"));
  CHECK(shown.are_whole());
}

TEST_CASE("a path leads to the mount that lies on top, and only that one is shown") {
  // /a was covered by /a, /b/c by /b.
  const auto shown = disks_of(
      "22 1 254:0 / / rw - ext4 /dev/vda rw\n"
      "30 22 254:1 / /a rw - ext4 /dev/vdb rw\n"
      "31 30 254:2 / /a rw - xfs /dev/vdc rw\n"
      "32 22 254:3 / /b/c rw - ext4 /dev/vdd rw\n"
      "33 22 254:4 / /b rw - xfs /dev/vde rw\n");
  CHECK(shown.disks == std::vector<ShownDisk>{
                           {"/", "ext4", "254:0"}, {"/a", "xfs", "254:2"}, {"/b", "xfs", "254:4"}});
  CHECK(shown.remarks.empty());
}

TEST_CASE("a table of mounts that leads in a circle shows nothing of it") {
  const auto shown = disks_of(
      "22 1 254:0 / / rw - ext4 /dev/vda rw\n"
      "30 31 254:1 / /a rw - ext4 /dev/vdb rw\n"
      "31 30 254:2 / /b rw - ext4 /dev/vdc rw\n");
  CHECK(targets_of(shown) == "/ ");
}

TEST_CASE("a part of a file system that is mounted as a whole is no other disk, a subvolume is") {
  const auto shown = disks_of(
      "22 1 254:0 / / rw - ext4 /dev/vda rw\n"
      "30 22 254:0 /srv/x /srv/ftp rw - ext4 /dev/vda rw\n"
      "31 22 0:60 / /pool rw - btrfs /dev/vdb rw\n"
      "32 22 0:60 /@home /home rw - btrfs /dev/vdb rw\n"
      "33 22 254:9 /volumes/a /volume rw - ext4 /dev/vdc rw\n");
  CHECK(targets_of(shown) == "/ /home /pool /volume ");
}

TEST_CASE("the root is shown only by a directory on its own file system") {
  const std::string other_tmp = std::string(small_host) + "40 22 0:70 / /tmp rw - tmpfs tmpfs rw\n";
  const auto apart = disks_of(other_tmp);
  CHECK(targets_of(apart) == "/data ");
  CHECK_FALSE(apart.are_whole());
  CHECK(tells(apart, "/ (ext4) is not shown as disks: the scratch directories of runs are not on"));
  // A private /tmp of a service is a part of the root's file system.
  const std::string private_tmp =
      std::string(small_host) + "40 22 254:0 /tmp/private/tmp /tmp rw - ext4 /dev/vda rw\n";
  CHECK(targets_of(disks_of(private_tmp)) == "/ /data ");
}

TEST_CASE("where other things of the run lie, something of its own stands for a disk") {
  const std::string mounts =
      "22 1 254:0 / / rw - ext4 /dev/vda rw\n"
      "30 22 254:1 / /var rw - ext4 /dev/vdb rw\n"
      "31 30 254:2 / /var/log rw - ext4 /dev/vdc rw\n"
      "32 22 254:3 / /opt rw - ext4 /dev/vdd rw\n";
  const auto granted = disks_of(mounts, {"/var/lib/dpkg", "/opt"});
  // /opt itself is granted with its content, and so is its size.
  CHECK(targets_of(granted) == "/ /var/log ");
  CHECK(covers_of(granted) == "/var ");
  CHECK_FALSE(granted.are_whole());
  CHECK(tells(granted, "/var (ext4) is not shown as disks: something else that scripts see"));
  CHECK_FALSE(tells(granted, "/opt"));
  auto question = native_run();
  question.scratch_directory = "/var/tmp/csat-1/runs/run-1/scratch";
  const auto scratch = find_disks(host_with_mounts(mounts), question);
  CHECK(targets_of(scratch) == "/opt /var/log ");
  CHECK(covers_of(scratch) == "/var ");
}

TEST_CASE("what the scripts' user does not reach on the host is not shown to it here") {
  const auto shown = find_disks(host_with_mounts(small_host, {"/data"}), native_run());
  CHECK(targets_of(shown) == "/ ");
  CHECK(tells(shown, "/data (xfs) is not shown as disks: the scripts' user does not reach it"));
}

TEST_CASE("many file systems are shown up to a bound, and told in few words") {
  std::string mounts = "22 1 254:0 / / rw - ext4 /dev/vda rw\n";
  for (int i = 0; i < 100; ++i) {
    const std::string number = std::to_string(100 + i);
    mounts += number + " 22 253:" + number + " / /srv/" + number + " rw - ext4 /dev/dm rw\n";
  }
  const auto shown = disks_of(mounts);
  CHECK(shown.disks.size() == shown_disks_max);
  REQUIRE(shown.remarks.size() == 1);
  CHECK(tells(shown, "and 29 more are not shown as disks: at most 64"));
  CHECK(shown.remarks.front().size() < 512);
}

TEST_CASE("a place that cannot be told in one line is not shown") {
  const auto shown = disks_of(
      "22 1 254:0 / / rw - ext4 /dev/vda rw\n"
      "30 22 254:1 / /a\\012b rw - ext4 /dev/vdb rw\n");
  CHECK(targets_of(shown) == "/ ");
}

TEST_CASE("well-known directories of the root file system have a place, links and mounts do not") {
  auto host = host_with_mounts(
      "22 1 254:0 / / rw - ext4 /dev/vda rw\n"
      "30 22 254:1 / /var rw - ext4 /dev/vdb rw\n"
      "31 22 0:40 / /home rw - nfs4 server:/x rw\n");
  // A link may lead to a server that is away, and so is never followed.
  host.real_path = [](const std::string& path) {
    if (!path.starts_with("/tmp")) FAIL("followed " << path);
    return std::optional(path);
  };
  host.is_directory = [](const std::string& path) {
    if (path == "/home" || path.starts_with("/var")) FAIL("looked at " << path);
    return path != "/opt" && path != "/srv";
  };
  const auto shown = find_disks(host, native_run());
  CHECK(shown.places == std::vector<std::string>{"/boot", "/media", "/mnt", "/root"});
}

TEST_CASE("of a directory that is a link nothing below it is looked at") {
  auto host = host_with_mounts("22 1 254:0 / / rw - ext4 /dev/vda rw\n");
  host.is_directory = [](const std::string& path) {
    if (path.starts_with("/var/")) FAIL("looked at " << path);
    return path != "/var";
  };
  const auto shown = find_disks(host, native_run());
  CHECK(shown.places.size() == 7);
}

TEST_CASE("a scratch directory behind a link lies where the link leads to") {
  auto host = host_with_mounts(
      "22 1 254:0 / / rw - ext4 /dev/vda rw\n30 22 0:50 / /mnt rw - tmpfs tmpfs rw\n");
  auto question = native_run();
  question.scratch_directory = "/var/tmp/l/csat-1/runs/run-1/scratch";
  const auto lead_to = [&host](const std::string& end) {
    // The area is there, and the run's own directory not yet.
    host.real_path = [end](const std::string& path) -> std::optional<std::string> {
      if (path != "/var/tmp/l/csat-1") return std::nullopt;
      return end + "/csat-1";
    };
  };
  lead_to("/mnt");
  CHECK(targets_of(find_disks(host, question)) == "/mnt ");
  lead_to("/var/other");
  CHECK(targets_of(find_disks(host, question)) == "/ /mnt ");
}

TEST_CASE("who may change the root directory of a disk is part of the order") {
  NativeRequest request;
  request.confined = true;
  request.scratch_directory = "/tmp/csat-1/runs/run-1/scratch";
  auto host =
      host_with_mounts(small_host + std::string("32 22 254:2 / /his rw - xfs /dev/vdc rw\n"));
  host.is_roots_alone = [](const std::string& path) { return path != "/his"; };
  request.shown.disks = find_disks(host, native_run());
  std::string text;
  for (const auto& step : plan_native(request).steps) {
    if (step.kind == FileStepKind::disk)
      text += step.target + " " + std::to_string(step.mode) + "; ";
  }
  CHECK(text == "data 1; his 0; ");
}

TEST_CASE("other engines and an unreadable table show nothing and say so") {
  auto question = native_run();
  question.by_native_engine = false;
  const auto other = find_disks(host_with_mounts(small_host), question);
  CHECK(other.disks.empty());
  CHECK(tells(other, "only the native engine"));
  CHECK(tells(disks_of("nonsense"), "mounts cannot be read"));
}

TEST_CASE("disks become steps behind the places that they need, and covers are sealed at the end") {
  NativeRequest request;
  request.confined = request.shares_root = request.launcher_is_root = true;
  request.scratch_directory = "/var/tmp/csat-1/runs/run-1/scratch";
  request.shown.disks.disks = {
      {"/", "ext4", "254:0"}, {"/srv/a", "ext4", "254:1"}, {"/srv/b", "btrfs", "0:50"}};
  request.shown.disks.covers = {"/var"};
  const auto plan = plan_native(request);
  CHECK(plan.root_on_disk);
  std::string text;
  for (const auto& step : plan.steps) {
    const bool is_ours = step.kind == FileStepKind::disk || step.target == "var" ||
                         step.target == "srv" || step.kind == FileStepKind::seal;
    if (is_ours) text += describe_step(step) + "; ";
  }
  CHECK(text ==
        "memory /var of at most 65536 bytes; directory /srv; disk /srv/a; disk /srv/b; directory "
        "/var; seal /var; directory /var; seal /var/tmp/csat-1/runs; ");
  const auto number_of = [&plan](const std::string& target) {
    const auto found =
        std::find_if(plan.steps.begin(), plan.steps.end(), [&target](const FileStep& step) {
          return step.kind == FileStepKind::disk && step.target == target;
        });
    REQUIRE(found != plan.steps.end());
    return found->size;
  };
  CHECK(number_of("srv/a") == (std::uint64_t{254} << 32U | 1U));
  CHECK(number_of("srv/b") == 0);  // a subvolume tells another number
  // Landlock lets nobody list what is not among the places of the run.
  const auto readable = readable_paths(request);
  CHECK_FALSE(readable.empty());
  CHECK(std::none_of(readable.begin(), readable.end(), [](const ReadablePath& path) {
    return path.path == "/" || path.path.starts_with("/srv");
  }));
}
