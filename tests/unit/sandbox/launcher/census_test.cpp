#include "sandbox/launcher/verify/census.hpp"

#include <catch2/catch.hpp>
#include <functional>
#include <string>
#include <utility>
#include <vector>

using namespace satellite::sandbox;

namespace {

/// Of a runtime as it stands: no different from what its order asks for.
Census usual_census() {
  Census census;
  census.posture.no_new_privileges = true;
  census.posture.seccomp_mode = 2;
  census.posture.seccomp_filters = 1;
  census.namespaces[0] = {4, 1};
  census.namespaces[5] = {4, 6};
  census.root = {9, 2};
  census.program = {7, 5};
  census.descriptors = {{0, "/dev/null"}, {1, "pipe"}, {2, "pipe"},
                        {3, "pipe"},      {4, "pipe"}, {5, "anon_inode:[eventpoll]"}};
  census.threads = 6;
  census.limits = "Max open files 1024";
  return census;
}

using CensusChange = std::pair<std::string, std::function<void(Census&)>>;

const std::vector<CensusChange> census_changes{
    {"another program", [](Census& now) { now.program.inode = 6; }},
    {"another namespace or root", [](Census& now) { now.namespaces[5].inode = 7; }},
    {"another namespace or root", [](Census& now) { now.root.inode = 3; }},
    {"another limit", [](Census& now) { now.limits = "Max open files 100"; }},
    {"other descriptors", [](Census& now) { now.descriptors.emplace(6, "pipe"); }},
    {"other descriptors", [](Census& now) { now.descriptors.emplace(6, "socket"); }},
    {"other descriptors", [](Census& now) { now.descriptors[3] = "/etc/passwd"; }},
    {"other descriptors", [](Census& now) { now.descriptors.erase(5); }},
    {"a thread that has not what its process has",
     [](Census& now) { now.loose_threads.emplace_back("42"); }},
    {"another posture", [](Census& now) { now.posture.capabilities[0] = 1; }},
    {"another posture", [](Census& now) { now.posture.cgroup.memory_max = 1; }}};

}  // namespace

TEST_CASE("a runtime that stands as it stood may get its task, whatever its threads do") {
  const Census first = usual_census();
  CHECK(difference_of(first, first).empty());
  Census now = first;
  now.threads = 11;
  CHECK(difference_of(first, now).empty());
}

TEST_CASE("whatever changed of a runtime since it was counted keeps it from its task") {
  const Census first = usual_census();
  for (const auto& [said, change] : census_changes) {
    Census now = first;
    change(now);
    INFO(said);
    CHECK(difference_of(first, now) == said);
  }
}

TEST_CASE("a runtime that has a loose thread, a socket or no filter does not come to stand") {
  const Expectation nothing_more{};
  CHECK(fault_of(usual_census(), nothing_more).empty());
  Census loose = usual_census();
  loose.loose_threads.emplace_back("42");
  CHECK_FALSE(fault_of(loose, nothing_more).empty());
  Census connected = usual_census();
  connected.descriptors.emplace(6, "socket");
  CHECK(fault_of(connected, nothing_more) == "it has a socket");
  Census privileged = usual_census();
  privileged.posture.no_new_privileges = false;
  CHECK_FALSE(fault_of(privileged, nothing_more).empty());
}
