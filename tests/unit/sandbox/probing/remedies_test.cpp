#include "sandbox/probing/remedies.hpp"

#include <catch2/catch.hpp>
#include <cerrno>
#include <string>
#include <vector>

using namespace satellite::sandbox;

namespace {

struct Case {
  std::string where;
  HostSigns signs;
  Primitive primitive;
  int error_number;
  std::string says;  ///< words that only the right remedy has
};

HostSigns signs_of(void (*change)(HostSigns&)) {
  HostSigns signs;
  change(signs);
  return signs;
}

std::vector<Case> cases() {
  const auto ubuntu = signs_of([](HostSigns& signs) {
    signs.distribution = "ubuntu";
    signs.version = "24.04";
    signs.apparmor_restricts = signs.systemd_runs = true;
  });
  const auto docker =
      signs_of([](HostSigns& signs) { signs.container = signs.seccomp_filtered = true; });
  const auto pod = signs_of(
      [](HostSigns& signs) { signs.kubernetes = signs.container = signs.seccomp_filtered = true; });
  const auto red_hat = signs_of([](HostSigns& signs) {
    signs.distribution = "rhel";
    signs.version = "8.10";
    signs.systemd_runs = signs.cgroup_v1 = true;
  });
  const auto debian = signs_of([](HostSigns& signs) { signs.systemd_runs = true; });
  const auto none = HostSigns{};
  const auto switched_off =
      signs_of([](HostSigns& signs) { signs.user_namespaces_forbidden = true; });
  using P = Primitive;
  return {
      {"Ubuntu 24.04", ubuntu, P::user_namespace, EPERM, "AppArmor"},
      {"Ubuntu 24.04", ubuntu, P::user_namespace, EACCES, "AppArmor"},
      {"Ubuntu 24.04", ubuntu, P::mount_in_namespace, EPERM, "AppArmor"},
      {"Docker", docker, P::user_namespace, EPERM, "--security-opt seccomp=FILE"},
      {"Docker", docker, P::mount_in_namespace, EPERM, "systempaths=unconfined"},
      {"Docker", docker, P::control_group, EROFS, "--cgroupns=private"},
      {"Docker", docker, P::control_group, ENOSYS, "clone3"},
      {"Kubernetes", pod, P::user_namespace, EPERM, "procMount: Unmasked"},
      {"Kubernetes", pod, P::mount_in_namespace, EPERM, "procMount: Unmasked"},
      {"Kubernetes", pod, P::control_group, EROFS, "resources.limits.memory"},
      {"RHEL 8", red_hat, P::user_namespace, EPERM, "SELinux"},
      {"RHEL 8", red_hat, P::control_group, 0, "grubby"},
      {"RHEL 8", red_hat, P::landlock, ENOSYS, "5.13"},
      {"no number left", switched_off, P::user_namespace, ENOSPC, "switched off by number"},
      {"Debian, no delegation", debian, P::control_group, EACCES, "Delegate="},
      {"Landlock not switched on", none, P::landlock, EOPNOTSUPP, "lsm="},
      {"no filter", none, P::seccomp, EINVAL, "CONFIG_SECCOMP_FILTER"},
  };
}

}  // namespace

TEST_CASE("what the host shows of itself decides which remedy is named") {
  for (const auto& [where, signs, primitive, error_number, says] : cases()) {
    const std::string remedy(remedy_for(primitive, error_number, signs));
    INFO(where << ", errno " << error_number << ": " << remedy);
    CHECK(remedy.find(says) != std::string::npos);
  }
}

TEST_CASE("every primitive has a remedy on a host that shows nothing, whatever the errno") {
  for (const auto primitive : {Primitive::user_namespace, Primitive::mount_in_namespace,
                               Primitive::control_group, Primitive::seccomp, Primitive::landlock}) {
    for (int error_number = 0; error_number < 134; ++error_number) {
      const auto remedy = remedy_for(primitive, error_number, HostSigns{});
      CHECK(remedy.find("doctor") == std::string_view::npos);
      CHECK(remedy.size() > 20);
    }
  }
}
