#include "tests/support/failing_calls.hpp"
#include "tests/support/in_child.hpp"
#include "tests/support/require_layer.hpp"
#include "tests/support/script_bench.hpp"
#include "tests/support/test_network.hpp"

#include <asm/unistd.h>
#include <sys/mount.h>
#include <catch2/catch.hpp>
#include <cerrno>
#include <regex>
#include <stdexcept>

using namespace satellite;
using namespace satellite::sandbox;
using namespace satellite::tests;

// The file view on kernels that cannot set the flags of a mount before it has a place: before
// Linux 5.12 there is no mount_setattr(2), before 5.2 no open_tree(2) either. The calls fail here
// as they do there.

namespace {

/// Which calls are missing; each of them is a filter, so that the control has as many.
enum class Kernel { complete, before_5_12, before_5_2, is_5_9 };

void become(Kernel kernel) {
  switch (kernel) {
    case Kernel::complete:
      return fail_calls({999}, ENOSYS);
    case Kernel::before_5_12:
      return fail_calls({__NR_mount_setattr}, ENOSYS);
    case Kernel::before_5_2:
      return fail_calls({__NR_open_tree, __NR_move_mount, __NR_mount_setattr}, ENOSYS);
    case Kernel::is_5_9:
      return fail_calls_from(first_call_after_5_9, ENOSYS);
  }
}

std::string layers_and_downgrades(const Ran& ran) {
  std::string text = ran.standard_output + ran.standard_error;
  text += std::string(name_of(ran.result.outcome)) + "\n" + ran.result.error.value_or("") + "\n";
  for (const auto& layer : ran.result.sandbox.layers) {
    text += std::string(name_of(layer.layer)) + " " + std::string(name_of(layer.state)) + " by " +
            layer.mechanism + ": " + layer.evidence + "\n";
  }
  for (const auto& one : ran.result.sandbox.downgrades) text += "downgrade " + one.reason + "\n";
  return text;
}

/// One run of the shipped default policy as text, without the numbers that differ from run to run.
std::string run_on(Kernel kernel, const std::string& text) {
  become(kernel);
  ScriptBench bench(Engine::native);
  std::string seen;
  if (!bench.facts.native_engine) {
    for (const auto& finding : bench.facts.findings) {
      if (finding.name == "native_engine") seen = "not native: " + finding.detail + "\n";
    }
    bench.facts.native_engine = true;  // and what a run says that is tried all the same
  }
  seen += layers_and_downgrades(bench.run(script(text), shipped_default_policy()));
  const std::string area = bench.launcher->scratch_area();
  for (auto at = seen.find(area); at != seen.npos; at = seen.find(area)) {
    seen.replace(at, area.size(), "AREA");
  }
  return seen;
}

/// Every mount with its flags, and what the kernel says where they count.
constexpr const char* look_around =
    "cut -d' ' -f5,6 /proc/self/mountinfo | sort\n"
    "perl -e 'for (@ARGV) { open(F, q(>), $_) ? print qq($_ 0\\n) : print qq($_ ), $!+0, qq(\\n) }'"
    " /usr/x /dev/null here /tmp/x\nwc -c </proc/kallsyms\n";

constexpr const char* nested_mount = "/usr/local";
constexpr const char* try_nested_mount =
    "perl -e 'open(F, q(>), q(/usr/local/x)) ? print qq(written\\n) : print $!+0, qq(\\n)'";

void mount_or_throw(const char* type, const char* target, unsigned long flags) {
  if (::mount(type, target, type, flags, "mode=1777") != 0) {
    throw std::runtime_error(std::string("cannot mount on ") + target);
  }
}

bool can_mount() {
  return require_layer("root", is_root(), "only root can mount for an unprivileged satellite");
}

/// A host with a mount of its own in the middle of /usr, seen by a root or an unprivileged
/// satellite.
std::string run_beside_mount(bool by_root, Kernel kernel, unsigned long flags) {
  return in_child([&] {
    take_own_mounts();
    mount_or_throw("tmpfs", nested_mount, 0);
    if (flags != 0) mount_or_throw(nullptr, nested_mount, MS_REMOUNT | MS_BIND | flags);
    const auto body = [kernel] { return run_on(kernel, try_nested_mount); };
    return by_root ? body() : as_uid_65532(body);
  });
}

}  // namespace

TEST_CASE("a kernel without the newer mount calls gives the same file view") {
  const std::string usual = in_child([] { return run_on(Kernel::complete, look_around); });
  INFO(usual);
  REQUIRE(holds(usual, "/usr ro,nosuid,nodev"));
  REQUIRE(holds(usual, "/proc/sys ro,nosuid,nodev,noexec"));
  REQUIRE(holds(usual, "/usr/x 30\n/dev/null 0\nhere 0\n/tmp/x 0\n0\nexited\n"));  // 30 = EROFS
  REQUIRE(holds(usual, "filesystem enforced by native: "));
  CHECK(in_child([] { return run_on(Kernel::before_5_12, look_around); }) == usual);
  CHECK(in_child([] { return run_on(Kernel::before_5_2, look_around); }) == usual);
  CHECK(in_child([] { return run_on(Kernel::is_5_9, look_around); }) ==
        std::regex_replace(usual, std::regex(", Landlock ABI [0-9]+"), ""));
}
TEST_CASE("a writable mount below a read-only one is closed, or refuses the run on an old kernel") {
  if (!can_mount()) return;
  const bool by_root = GENERATE(true, false);
  INFO("by root " << by_root);
  const std::string closed = run_beside_mount(by_root, Kernel::complete, 0);
  INFO(closed);
  CHECK(closed.find("30\nexited\n") == 0);
  for (const Kernel old : {Kernel::before_5_12, Kernel::before_5_2}) {
    const std::string refused = run_beside_mount(by_root, old, 0);
    INFO(refused);
    CHECK(refused.find("not native: sandbox unavailable: filesystem: /usr/local is writable\n"
                       "refused\nsandbox unavailable: filesystem: /usr/local is writable\n") == 0);
    // A mount that the host itself made read-only needs no flag, so the run starts.
    const std::string read_only = run_beside_mount(by_root, old, MS_RDONLY);
    INFO(read_only);
    CHECK(read_only.find("30\nexited\n") == 0);
  }
}

TEST_CASE("what the host's mounts forbid stays forbidden, whatever the age of the kernel") {
  if (!can_mount()) return;
  const bool by_root = GENERATE(true, false);
  const auto run = [by_root](Kernel kernel) {
    return in_child([&] {
      take_own_mounts();
      // The scratch directories of the runs lie there. In the user namespace of an unprivileged
      // satellite the kernel locks these flags; a root satellite must keep them, too.
      mount_or_throw("tmpfs", "/tmp", MS_NOEXEC | MS_NODEV | MS_NOSUID | MS_NOATIME);
      const auto body = [kernel] {
        return run_on(kernel,
                      "cut -d' ' -f5,6 /proc/self/mountinfo | sort\n"
                      "echo 'echo executed' >program; chmod 700 program; ./program\n"
                      "cp program /tmp; /tmp/program");
      };
      return by_root ? body() : as_uid_65532(body);
    });
  };
  const std::string usual = run(Kernel::complete);
  INFO("by root " << by_root << "\n" << usual);
  CHECK(holds(usual, " rw,nosuid,nodev,noexec,noatime\n"));
  CHECK(holds(usual, "./program: Permission denied\n"));
  CHECK(holds(usual, "executed\n"));  // in the run's own /tmp
  CHECK(run(Kernel::before_5_12) == usual);
  CHECK(run(Kernel::before_5_2) == usual);
}
