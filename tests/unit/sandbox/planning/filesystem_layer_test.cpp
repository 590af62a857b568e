#include "sandbox/planning/filesystem_layer.hpp"

#include "unit/sandbox/hosts.hpp"

#include <set>

using namespace satellite::sandbox;
using namespace satellite::sandbox::test;
using Words = std::vector<std::string>;
using Kind = FilesystemLayer::Kind;

namespace {

HostPaths host_with_paths(std::set<std::string> paths) {
  HostPaths host;
  host.exists = [paths](const std::string& path) { return paths.contains(path); };
  host.real_path = [paths](const std::string& path) -> std::optional<std::string> {
    if (path == "/opt/link/bun") return "/opt/bun/bun";
    if (!paths.contains(path)) return std::nullopt;
    return path;
  };
  return host;
}

FilesystemInputs scratch_only_inputs() {
  FilesystemInputs inputs;
  inputs.scratch_directory = "/tmp/x";
  return inputs;
}

FilesystemLayer layer_for(FilesystemMode mode, const FilesystemInputs& inputs,
                          const HostPaths& host = imagined_host(),
                          const HostFacts& facts = unprivileged_bwrap_host()) {
  return build_filesystem_layer({mode, {}}, facts, inputs, NetworkDecision{}, host);
}

}  // namespace

TEST_CASE("nothing asked for means no wrapper") {
  CHECK(layer_for(FilesystemMode::off, scratch_only_inputs()).kind == Kind::off);
}

TEST_CASE("a confined script sees the system read-only and writes to its scratch directory") {
  const auto layer = layer_for(FilesystemMode::scratch_only, scratch_only_inputs());
  REQUIRE(layer.kind == Kind::enforced);
  CHECK(layer.engine == Engine::bwrap);
  CHECK(has_run(layer.wrapper, {"--ro-bind", "/usr", "/usr"}));
  CHECK(has_run(layer.wrapper, {"--tmpfs", "/tmp", "--bind", "/tmp/x", "/tmp/x"}));
  CHECK(has_run(layer.wrapper, {"--chdir", "/tmp/x"}));
  CHECK(layer.wrapper.back() != "--");
}

TEST_CASE("system directories that this host does not have are not bound") {
  const auto layer = layer_for(FilesystemMode::scratch_only, scratch_only_inputs(),
                               host_with_paths({"/usr", "/etc"}));
  CHECK(has_word(layer.wrapper, "/etc"));
  CHECK_FALSE(has_word(layer.wrapper, "/lib64"));
}

TEST_CASE("an interpreter outside the system directories is shown at its real place") {
  auto inputs = scratch_only_inputs();
  inputs.interpreter = "/opt/link/bun";
  const auto host = host_with_paths({"/usr", "/opt/bun/bun"});
  CHECK(has_run(layer_for(FilesystemMode::scratch_only, inputs, host).wrapper,
                {"--ro-bind", "/opt/bun/bun", "/opt/bun/bun"}));
  inputs.interpreter = "/usr/bin/bun";
  CHECK_FALSE(
      has_word(layer_for(FilesystemMode::scratch_only, inputs, host).wrapper, "/usr/bin/bun"));
  inputs.interpreter = "/etcetera/bun";
  CHECK(has_word(
      layer_for(FilesystemMode::scratch_only, inputs, host_with_paths({"/etc", "/etcetera/bun"}))
          .wrapper,
      "/etcetera/bun"));
}

TEST_CASE("script packages are shown read-only, by the mode that asks for them, if they exist") {
  auto inputs = scratch_only_inputs();
  inputs.package_directory = "/srv/node_modules";
  const auto host = host_with_paths({"/usr", "/srv/node_modules"});
  CHECK(has_run(layer_for(FilesystemMode::scratch_plus_ro, inputs, host).wrapper,
                {"--ro-bind", "/srv/node_modules", "/srv/node_modules"}));
  CHECK_FALSE(
      has_word(layer_for(FilesystemMode::scratch_only, inputs, host).wrapper, "/srv/node_modules"));
  CHECK_FALSE(has_word(
      layer_for(FilesystemMode::scratch_plus_ro, inputs, host_with_paths({"/usr"})).wrapper,
      "/srv/node_modules"));
}

TEST_CASE("confinement without a scratch directory degrades and says so") {
  const auto layer = layer_for(FilesystemMode::scratch_only, {});
  CHECK(layer.kind == Kind::degrade);
  CHECK(layer.reason.find("scratch directory") != std::string::npos);
}

TEST_CASE("confinement degrades without a wrapper, without user namespaces and off Linux") {
  HostFacts no_namespaces = unprivileged_bwrap_host();
  no_namespaces.user_namespaces = false;
  HostFacts firejail = unprivileged_bwrap_host();
  firejail.wrapper = Wrapper::firejail;
  for (const auto& host : {bare_root_host(), mac_host(), no_namespaces, firejail}) {
    const auto layer =
        layer_for(FilesystemMode::scratch_only, scratch_only_inputs(), imagined_host(), host);
    CHECK(layer.kind == Kind::degrade);
    CHECK_FALSE(layer.reason.empty());
    CHECK(layer.wrapper.empty());
  }
}

TEST_CASE("a network namespace alone keeps the whole host visible") {
  NetworkDecision deny;
  deny.kind = NetworkDecision::Kind::namespaced;
  deny.egress = Egress::routeless;
  const auto bwrap =
      build_filesystem_layer({}, unprivileged_bwrap_host(), {}, deny, imagined_host());
  CHECK(bwrap.wrapper == Words{"bwrap", "--unshare-all", "--unshare-net", "--die-with-parent",
                               "--bind", "/", "/", "--proc", "/proc", "--dev", "/dev"});
  const auto nsjail =
      build_filesystem_layer({}, unprivileged_nsjail_host(), {}, deny, imagined_host());
  CHECK(nsjail.wrapper ==
        Words{"nsjail", "--quiet", "--mode", "o", "--clone_newnet", "--bindmount", "/:/"});
}

TEST_CASE("a macvlan uplink and its filter are nsjail's own options") {
  NetworkDecision network;
  network.kind = NetworkDecision::Kind::namespaced;
  network.mode = NetworkDecision::Mode::allowlist;
  network.egress = Egress::macvlan;
  network.uplink = "eth0";
  network.addressing = MacvlanAddressing{"10.0.0.2", "255.255.255.0", "10.0.0.1"};
  network.ruleset = "R";
  auto inputs = scratch_only_inputs();
  inputs.filter_file = "/tmp/x/egress.nft";
  const auto layer = build_filesystem_layer({FilesystemMode::scratch_only, {}}, macvlan_host(),
                                            inputs, network, imagined_host());
  CHECK(has_run(layer.wrapper, {"--clone_newnet", "--macvlan_iface", "eth0", "--macvlan_vs_ip",
                                "10.0.0.2", "--macvlan_vs_nm", "255.255.255.0", "--macvlan_vs_gw",
                                "10.0.0.1", "--nftables_file", "/tmp/x/egress.nft"}));
}

TEST_CASE("the wrapper is started by its absolute path when the probe found one") {
  HostFacts facts = unprivileged_bwrap_host();
  facts.wrapper_path = "/usr/bin/bwrap";
  CHECK(layer_for(FilesystemMode::scratch_only, scratch_only_inputs(), imagined_host(), facts)
            .wrapper.front() == "/usr/bin/bwrap");
}

TEST_CASE("golden: bubblewrap builds the native engine's view in its own words") {
  auto inputs = scratch_only_inputs();
  inputs.wants_own_view = true;
  inputs.script_identity = Identity{998, 997};
  HostPaths host = host_with_paths({"/usr", "/etc/nsswitch.conf", "/etc/closed",
                                    "/etc/ssl/openssl.cnf", "/proc/kcore", "/proc/acpi"});
  host.real_path = [](const std::string& path) -> std::optional<std::string> {
    if (path == "/bin") return "/usr/bin";                     // a link that still leads there
    if (path == "/etc/ssl/certs") return "/var/lib/ca/certs";  // one that does not
    if (path == "/usr" || path == "/etc/nsswitch.conf" || path == "/etc/krb5.conf") return path;
    return std::nullopt;
  };
  host.is_public = [](const std::string& path) { return path != "/etc/krb5.conf"; };
  host.public_text = [](const std::string& path) -> std::optional<std::string> {
    if (path == "/etc/hosts") return "127.0.0.1 localhost\n";
    return std::nullopt;
  };
  host.host_name = "db7";
  HostFacts facts = unprivileged_bwrap_host();
  facts.wrapper_sizes_memory = true;
  const auto layer = layer_for(FilesystemMode::scratch_only, inputs, host, facts);
  REQUIRE(layer.has_own_view);
  CHECK(layer.wrapper == Words{"bwrap",
                               "--unshare-all",
                               "--share-net",
                               "--die-with-parent",
                               "--ro-bind",
                               "/usr",
                               "/usr",
                               "--symlink",
                               "/usr/bin",
                               "/bin",
                               "--dir",
                               "/etc",
                               "--dir",
                               "/etc/ssl",
                               "--dir",
                               "/etc/pki",
                               "--dir",
                               "/etc/pki/tls",
                               "--dir",
                               "/etc/ssh",
                               "--dir",
                               "/etc/snmp",
                               "--dir",
                               "/etc/ca-certificates",
                               "--ro-bind",
                               "/var/lib/ca/certs",
                               "/etc/ssl/certs",
                               "--ro-bind",
                               "/etc/nsswitch.conf",
                               "/etc/nsswitch.conf",
                               "--perms",
                               "0644",
                               "--file",
                               "13",
                               "/etc/hosts",
                               "--symlink",
                               "/proc/self/mounts",
                               "/etc/mtab",
                               "--perms",
                               "0644",
                               "--file",
                               "14",
                               "/etc/hostname",
                               "--dev",
                               "/dev",
                               "--perms",
                               "0644",
                               "--file",
                               "15",
                               "/etc/passwd",
                               "--perms",
                               "0644",
                               "--file",
                               "16",
                               "/etc/group",
                               "--proc",
                               "/proc",
                               "--ro-bind",
                               "/dev/null",
                               "/proc/kcore",
                               "--tmpfs",
                               "/proc/acpi",
                               "--remount-ro",
                               "/proc/acpi",
                               "--perms",
                               "1777",
                               "--size",
                               "67108864",
                               "--tmpfs",
                               "/dev/shm",
                               "--perms",
                               "1777",
                               "--size",
                               "268435456",
                               "--tmpfs",
                               "/tmp",
                               "--dir",
                               "/tmp",
                               "--bind",
                               "/tmp/x",
                               "/tmp/x",
                               "--remount-ro",
                               "/dev",
                               "--remount-ro",
                               "/",
                               "--chdir",
                               "/tmp/x"});
  REQUIRE(layer.wrapper_files.size() == 4);
  CHECK(layer.wrapper_files[0] == "127.0.0.1 localhost\n127.0.1.1\tdb7\n");
  CHECK(layer.wrapper_files[1] == "db7\n");
  CHECK(layer.wrapper_files[2].find("script:x:998:997::/tmp/x:/bin/sh\n") != std::string::npos);
  CHECK(layer.writable_paths == Words{"/tmp", "/dev", "/tmp/x"});
  CHECK(layer.memory_sizes ==
        std::vector<MemorySize>{{"/dev/shm", 67'108'864}, {"/tmp", 268'435'456}});
}

TEST_CASE("without sizes a scratch directory stays on the disk and no size is promised") {
  auto inputs = scratch_only_inputs();
  inputs.wants_own_view = true;
  const FilesystemPolicy sized{FilesystemMode::scratch_only, 1'048'576};
  HostFacts facts = unprivileged_bwrap_host();
  const auto old = build_filesystem_layer(sized, facts, inputs, NetworkDecision{}, imagined_host());
  CHECK(has_run(old.wrapper, {"--bind", "/tmp/x", "/tmp/x"}));
  CHECK_FALSE(has_word(old.wrapper, "--size"));
  CHECK_FALSE(has_word(old.wrapper, "--perms"));
  CHECK(old.memory_sizes.empty());
  facts.wrapper_sizes_memory = true;
  const auto sizing =
      build_filesystem_layer(sized, facts, inputs, NetworkDecision{}, imagined_host());
  CHECK(has_run(sizing.wrapper, {"--perms", "0700", "--size", "1048576", "--tmpfs", "/tmp/x"}));
  CHECK(sizing.memory_sizes.back() == MemorySize{"/tmp/x", 1'048'576});
}
