#include "sandbox/planning/describe_plan.hpp"

#include "unit/sandbox/hosts.hpp"

using namespace satellite::sandbox;
using namespace satellite::sandbox::test;

TEST_CASE("golden: the shipped default under a root launcher, step by step") {
  auto inputs = run_in("/tmp/run");
  inputs.environment = {{"API_TOKEN", "not-shown"}, {"LD_PRELOAD", "/x"}};
  inputs.default_identity = Identity{65532, 65532};
  const auto decision =
      decision_for(shipped_default_policy(), root_launcher_host(), std::move(inputs));
  CHECK(
      describe_plan(decision) ==
      "engine: bwrap\n"
      "scratch: /tmp/run\n"
      "identity: 65532:65532\n"
      "egress: routeless\n"
      "wrapper: /usr/bin/bwrap --unshare-all --unshare-net --die-with-parent --ro-bind /usr /usr "
      "--ro-bind /bin /bin --ro-bind /sbin /sbin --ro-bind /lib /lib --ro-bind /lib64 /lib64 "
      "--ro-bind /etc /etc --tmpfs /tmp --bind /tmp/run /tmp/run --proc /proc --dev /dev "
      "--chdir /tmp/run\n"
      "limit: cpu 60\n"
      "limit: nofile 1024\n"
      "limit: nproc 256\n"
      "limit: fsize 268435456\n"
      "output cap: 5242880\n"
      "environment: API_TOKEN HOME LOGNAME PATH SHELL TMPDIR USER\n"
      "environment dropped: \"LD_PRELOAD\"\n"
      "command: sh -c 'echo hi'\n"
      "layer resources: enforced by limits: cpu of each process, nofile, nproc, fsize; output cap\n"
      "layer filesystem: enforced by bwrap: own mount namespace, system read-only, scratch "
      "directory writable\n"
      "layer network: enforced by bwrap: own network namespace without uplink\n"
      "layer privilege: enforced by launcher changes to 65532:65532 without groups before "
      "anything else starts; no capability in any set; system call filter\n"
      "note resources: memoryBytes does not limit this run by itself: only node keeps "
      "the heap limit, bun and a shell do not; give the satellite's service or container a "
      "memory limit (MemoryMax=, --memory, resources.limits.memory)\n");
}

TEST_CASE("a refusal is described by what is missing") {
  const auto text =
      describe_plan(decision_for(shipped_default_policy(), mac_host(), run_in("/tmp/run")));
  CHECK(text.starts_with("sandbox unavailable: resources: "));
  CHECK(text.find("layer filesystem: absent\n") != std::string::npos);
}
