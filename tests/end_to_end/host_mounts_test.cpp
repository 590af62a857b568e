#include "tests/end_to_end/scene.hpp"
#include "tests/support/in_child.hpp"
#include "tests/support/require_layer.hpp"
#include "tests/support/shared_mounts.hpp"
#include "tests/support/test_network.hpp"

#include <grp.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <unistd.h>
#include <catch2/catch.hpp>
#include <stdexcept>

using namespace satellite;
using namespace satellite::tests;

// A host's mounts are shared with everything that systemd starts: whatever a satellite mounts or
// unmounts in a namespace that is not cut off is mounted or unmounted on the host.

namespace {

enum class User { root, unprivileged };

struct Mode {
  const char* name;
  const char* network;
  const char* answer;  ///< of an address outside
};
constexpr Mode modes[] = {
    {"unrestricted", R"({"mode":"unrestricted","denyLinkLocalAndMetadata":false})", "yes"},
    {"no metadata", R"({"mode":"unrestricted","denyLinkLocalAndMetadata":true})", "yes"},
    {"deny", R"({"mode":"deny","denyLinkLocalAndMetadata":true})", "no"},
    {"allowlist", R"({"mode":"allowlist","allow":["198.51.100.1"]})", "yes"}};

std::string policy_of(const Mode& mode) {
  return std::string(R"({"enabled":true,"onUnavailable":"fail",
    "filesystem":{"mode":"scratch-plus-ro"},"privilege":{"mode":"drop-to-uid"},"network":)") +
         mode.network + "}";
}

std::string script_of(const Mode& mode) {
  const std::string seconds = mode.answer == std::string("yes") ? "8" : "1";
  return connecting_functions() + "touch here && tcp out 198.51.100.1 " + seconds + "\n";
}

/// Whether a mount that another namespace makes is seen here, as on a host of systemd.
bool mounts_are_shared() {
  const std::string before = mount_table();
  const std::string place = std::string(shared_mounts_place) + "/inner";
  in_child([&] {
    if (::unshare(CLONE_NEWNS) != 0) return std::string("no");
    ::mount("tmpfs", place.c_str(), "tmpfs", 0, nullptr);
    return std::string("mounted");
  });
  const bool seen = mount_table() != before;
  if (seen) ::umount2(place.c_str(), MNT_DETACH);
  return seen && mount_table() == before;
}

void become_unprivileged() {
  constexpr uid_t user = 65'532;
  if (::setgroups(0, nullptr) != 0 || ::setresgid(user, user, user) != 0 ||
      ::setresuid(user, user, user) != 0 || ::prctl(PR_SET_DUMPABLE, 1) != 0) {
    throw std::runtime_error("cannot become unprivileged");
  }
}

/// What each command said, and after each whether the mounts are what they were.
std::string everything_is_run() {
  const std::map<std::string, std::string> path{
      {"PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}};
  const std::string before = mount_table();
  const auto told = [&before](const std::string& what) {
    return what + ", mounts " + difference(before, mount_table()) + "\n";
  };
  const TempDir files;
  std::string text = told("doctor " + std::to_string(run_satellite({"doctor"}, path).exit_code));
  for (const Mode& mode : modes) {
    const std::string script = files.write("script.sh", script_of(mode));
    const std::string policy = files.write("policy.json", policy_of(mode));
    const auto result = run_satellite({"exec", script, "--policy", policy}, path);
    text += told("exec " + result.standard_output);
    if (result.exit_code != 0) text += result.standard_error;
    Scene scene(Scene::with_policy(policy_of(mode)));
    text += told("run " + scene.run(script_of(mode)).standard_output);
  }
  return text;
}

std::string as_it_should_be() {
  std::string text = "doctor 0, mounts unchanged\n";
  for (const Mode& mode : modes) {
    for (const char* command : {"exec", "run"}) {
      text += std::string(command) + " out " + mode.answer + "\n, mounts unchanged\n";
    }
  }
  return text;
}

}  // namespace

TEST_CASE("no command and no network mode changes a mount of the host, whoever it runs as") {
  if (!require_layer("root", ::geteuid() == 0, "only root can make a test network")) return;
  const TestNetwork network;
  const TmpIs tmp = GENERATE(TmpIs::a_directory, TmpIs::a_mount);
  const User user = GENERATE(User::root, User::unprivileged);
  // A root launcher stays beside mounts that are not shared, as on hosts without systemd.
  const MountsAre mounts = GENERATE(MountsAre::shared, MountsAre::not_shared);
  if (mounts == MountsAre::not_shared && (user != User::root || tmp != TmpIs::a_directory)) return;
  INFO((user == User::root ? "root" : "uid 65532")
       << (tmp == TmpIs::a_mount ? ", /tmp is a mount" : "")
       << (mounts == MountsAre::not_shared ? ", not shared" : ""));
  CHECK(in_child([&] {
          share_own_mounts(tmp, satellite_program(), mounts);
          ::setenv("SATELLITE_BINARY", shown_program, 1);
          if (mounts_are_shared() != (mounts == MountsAre::shared)) {
            return std::string("the mounts are shared or not against the test's will");
          }
          if (user == User::unprivileged) become_unprivileged();
          return everything_is_run();
        }) == as_it_should_be());
}
