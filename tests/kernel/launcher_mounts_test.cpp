#include "tests/support/in_child.hpp"
#include "tests/support/require_layer.hpp"
#include "tests/support/script_bench.hpp"

#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>
#include <catch2/catch.hpp>
#include <filesystem>
#include <stdexcept>

using namespace satellite;
using namespace satellite::sandbox;
using namespace satellite::tests;

// Which of the host's mounts a launcher sees as long as it lives. A copy of a private mount would
// remain when the host unmounts it, and keep the device busy.

namespace {

constexpr const char* place = "/mnt";

/// What of a host's mounts is shared, as systemd has all of them.
enum class Shared { all, all_but_one, nothing };

void must(bool done, const char* what) {
  if (!done) throw std::runtime_error(what);
}

void mount_there() {
  must(::mount("tmpfs", place, "tmpfs", 0, nullptr) == 0, "mount");
}

bool sees_it(pid_t pid) {
  return read_proc(pid, "mountinfo").find(std::string(" ") + place + " ") != std::string::npos;
}

std::string namespace_of(const std::string& process) {
  return std::filesystem::read_symlink("/proc/" + process + "/ns/mnt").string();
}

/// A line for each thing that a launcher must see, or must not see any more.
std::string look(Engine engine, Shared shared) {
  take_own_mounts();
  if (shared != Shared::nothing) {
    must(::mount(nullptr, "/", nullptr, MS_REC | MS_SHARED, nullptr) == 0, "share");
  }
  mount_there();
  if (shared == Shared::all_but_one) {
    must(::mount(nullptr, place, nullptr, MS_PRIVATE, nullptr) == 0, "make private");
  }
  ScriptBench bench(engine);
  const pid_t launcher = bench.launcher->pid();
  const auto said = [launcher](bool yes) { return yes == sees_it(launcher) ? "" : "not "; };
  const bool apart = namespace_of(std::to_string(launcher)) != namespace_of("self");
  std::string text = apart ? "apart\n" : "with the host\n";
  text += std::string(said(true)) + "seen\n";
  Policy policy = policy_for(engine);
  const std::string before = read_proc(::getpid(), "mountinfo");
  const Ran ran = bench.run(script("readlink /proc/self/ns/mnt; touch here"), policy);
  const bool is_own =
      ran.standard_output != namespace_of("self") + "\n" && ran.standard_output.starts_with("mnt:");
  text += is_own ? "a run is apart\n" : "a run: " + ran.standard_output;
  if (read_proc(::getpid(), "mountinfo") != before) text += "a run changed mounts\n";
  must(::umount(place) == 0, "unmount");
  text += std::string(said(false)) + "gone\n";
  mount_there();
  text += std::string(said(true)) + "seen again\n";
  return text;
}

}  // namespace

TEST_CASE("a launcher keeps nothing mounted that the host unmounts, and sees what it mounts") {
  if (!require_layer("root", is_root(), "only root can mount")) return;
  const Engine engine = GENERATE(from_range(with_nsjail({Engine::bwrap, Engine::native})));
  const Shared shared = GENERATE(Shared::all, Shared::all_but_one, Shared::nothing);
  INFO(name_of(engine) << ", case " << static_cast<int>(shared));
  const std::string where = shared == Shared::all ? "apart\n" : "with the host\n";
  CHECK(in_child([&] { return look(engine, shared); }) ==
        where + "seen\na run is apart\ngone\nseen again\n");
}
