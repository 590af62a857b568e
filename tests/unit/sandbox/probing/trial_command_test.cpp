#include "sandbox/probing/trial_command.hpp"

#include <catch2/catch.hpp>
#include <set>

using namespace satellite::sandbox;

namespace {

using Words = std::vector<std::string>;

HostPrograms programs_of(std::set<std::string> files, std::string own = "/usr/bin/satellite") {
  return {[files = std::move(files)](const std::string& path) { return files.count(path) != 0; },
          std::move(own)};
}

}  // namespace

TEST_CASE("a trial runs what the host has, and this program where it has nothing") {
  CHECK(trial_command(programs_of({"/usr/bin/true", "/bin/sh"})) == Words{"true"});
  CHECK(trial_command(programs_of({"/bin/sh", "/bin/busybox"})) == Words{"sh", "-c", ":"});
  CHECK(trial_command(programs_of({"/bin/busybox"})) == Words{"busybox", "true"});
  CHECK(trial_command(programs_of({})) == Words{"/usr/bin/satellite", "version"});
}

TEST_CASE("where runs would not see this program either, the trial fails by name") {
  CHECK(trial_command(programs_of({}, "/opt/satellite")) == Words{"true"});
  CHECK(trial_command(programs_of({}, "")) == Words{"true"});
  // Directories that no run looks in.
  CHECK(trial_command(programs_of({"/sbin/true", "/opt/sh"}, "")) == Words{"true"});
}

TEST_CASE("the shell of scripts is found where runs look") {
  CHECK(find_shell(programs_of({"/bin/sh", "/usr/bin/sh"})) == "/usr/bin/sh");
  CHECK(find_shell(programs_of({"/bin/busybox", "/bin/bash"})).empty());
}
