#include "sandbox/planning/filesystem_layer.hpp"

#include "sandbox/planning/account.hpp"
#include "sandbox/planning/native_plan.hpp"
#include "sandbox/planning/upstream_command_lines.hpp"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

namespace satellite::sandbox {
namespace {

/// The part of the host that every confined script sees, read-only.
constexpr std::array<std::string_view, 6> system_directories{"/usr", "/bin",   "/sbin",
                                                             "/lib", "/lib64", "/etc"};

bool lies_in_system_directory(std::string_view path) {
  return std::any_of(system_directories.begin(), system_directories.end(),
                     [path](std::string_view directory) {
                       return path == directory ||
                              (path.substr(0, directory.size()) == directory &&
                               path.size() > directory.size() && path[directory.size()] == '/');
                     });
}

/// The interpreter where the system directories do not show it already. A link into /usr needs no
/// bind of its own, and a link elsewhere is shown at its target.
std::optional<std::string> further_interpreter(const FilesystemInputs& inputs,
                                               const HostPaths& host) {
  if (!inputs.interpreter) return std::nullopt;
  std::string real = host.real_path(*inputs.interpreter).value_or(*inputs.interpreter);
  if (lies_in_system_directory(real) || !host.exists(real)) return std::nullopt;
  return real;
}

std::vector<std::string> read_only_paths(const FilesystemInputs& inputs, const HostPaths& host) {
  std::vector<std::string> paths;
  for (const std::string_view directory : system_directories) {
    std::string path(directory);
    if (host.exists(path)) paths.push_back(std::move(path));
  }
  if (auto interpreter = further_interpreter(inputs, host)) {
    paths.push_back(*std::move(interpreter));
  }
  return paths;
}

/// Why no wrapper can be built, or empty.
std::string reason_to_reject(const FilesystemPolicy& policy, const HostFacts& facts,
                             const FilesystemInputs& inputs, const NetworkDecision& network) {
  if (facts.platform != "linux") return "namespaces need Linux (platform=" + facts.platform + ")";
  if (!facts.native_engine && facts.wrapper != Wrapper::bwrap && facts.wrapper != Wrapper::nsjail) {
    return "no engine that can build namespaces may be used on this host: " +
           engine_remedy(inputs.engines);
  }
  if (!facts.native_engine && !facts.user_namespaces) {
    return "user namespaces cannot be created on this host: allow unprivileged user namespaces "
           "(sysctl, AppArmor or the container's seccomp profile)";
  }
  if (policy.mode != FilesystemMode::off && !inputs.scratch_directory) {
    return "this run has no scratch directory to confine it to";
  }
  const bool needs_launcher_uplink = !inputs.launcher_makes_network &&
                                     network.kind == NetworkDecision::Kind::namespaced &&
                                     network.egress == Egress::slirp4netns;
  if (needs_launcher_uplink && !facts.native_engine && facts.wrapper != Wrapper::bwrap) {
    return "rootless egress (slirp4netns) needs bubblewrap, and nsjail is the wrapper found here";
  }
  return {};
}

/// The view as the native engine has it, whoever builds it.
NativeRequest view_request(const FilesystemPolicy& policy, const HostFacts& facts,
                           const FilesystemInputs& inputs, const NetworkDecision& network,
                           const HostPaths& host) {
  NativeRequest request;
  request.confined = policy.mode != FilesystemMode::off;
  request.own_network = network.kind == NetworkDecision::Kind::namespaced;
  request.enters_network =
      request.own_network && (network.egress != Egress::routeless || inputs.has_loopback_ports);
  request.launcher_is_root = facts.euid_is_root;
  request.scratch_directory = inputs.scratch_directory.value_or("");
  request.scratch_bytes = policy.scratch_bytes;
  request.identity = inputs.script_identity;
  request.own_identity = inputs.identity_is_own;
  if (!request.confined) return request;
  request.shown = inputs.shown;
  request.state_bytes = inputs.state_bytes;
  request.host_name = host.host_name;
  request.hosts_addition =
      hosts_addition(host.public_text("/etc/hosts").value_or(""), host.host_name);
  if (inputs.shown.processes && facts.euid_is_root) {  // else owners cannot be told anyway
    request.host_passwd = host.public_text("/etc/passwd").value_or("");
    request.host_group = host.public_text("/etc/group").value_or("");
  }
  // The engine's own root has the system directories whatever the plan says.
  if (auto interpreter = further_interpreter(inputs, host)) {
    request.read_only_paths.push_back(*std::move(interpreter));
  }
  if (policy.mode == FilesystemMode::scratch_plus_ro && inputs.package_directory &&
      host.exists(*inputs.package_directory)) {
    request.read_only_paths.push_back(*inputs.package_directory);
  }
  if (inputs.own_files) request.own_files = *inputs.own_files;
  // Only a view of more than scratch shows packages.
  if (policy.mode != FilesystemMode::scratch_plus_ro) request.own_files.node_modules.clear();
  return request;
}

FilesystemLayer native_layer(NativeRequest request) {
  request.shares_root = true;
  FilesystemLayer layer;
  layer.kind = FilesystemLayer::Kind::enforced;
  layer.engine = Engine::native;
  layer.native = plan_native(request);
  layer.has_own_view = request.confined;
  layer.writable_paths = writable_paths(request);
  layer.readable_paths = readable_paths(request);
  layer.memory_sizes = memory_sizes(layer.native->steps);
  return layer;
}

/// The reference satellite's view: all of /etc, and a root that takes writes.
void show_upstream_view(const FilesystemPolicy& policy, const FilesystemInputs& inputs,
                        const HostPaths& host, WrapperRequest& request) {
  request.read_only_before_scratch = read_only_paths(inputs, host);
  if (policy.mode == FilesystemMode::scratch_plus_ro && inputs.package_directory &&
      host.exists(*inputs.package_directory)) {
    request.read_only_after_scratch = inputs.package_directory;
  }
}

/// The native engine's view by a wrapper. Without file confinement only nsjail comes here, since
/// its command line differs from the reference satellite's even then.
void show_own_view(NativeRequest view, const HostFacts& facts, const HostPaths& host,
                   WrapperRequest& request, FilesystemLayer& layer) {
  const bool by_nsjail = layer.engine == Engine::nsjail;
  request.host_name = host.host_name;
  request.sizes_memory = by_nsjail || facts.wrapper_sizes_memory;
  // A scratch directory in memory without a size limit would be worse than one on the disk, and a
  // state without one is none.
  if (!request.sizes_memory) {
    view.scratch_bytes.reset();
    view.state_bytes = 0;
  }
  if (view.confined) request.view = plan_native(view).steps;
  if (by_nsjail) layer.reason = nsjail_reason_to_reject(request);
  layer.kind =
      layer.reason.empty() ? FilesystemLayer::Kind::enforced : FilesystemLayer::Kind::degrade;
  if (!layer.reason.empty()) return;
  auto command = by_nsjail ? nsjail_with_view(request, host) : bwrap_with_view(request, host);
  layer.wrapper = std::move(command.argv);
  layer.wrapper_files = std::move(command.files);
  if (!view.confined) return;
  layer.writable_paths = writable_paths(view);
  layer.readable_paths = readable_paths(view);
  if (request.sizes_memory) layer.memory_sizes = memory_sizes(request.view);
  layer.has_own_view = true;
}

}  // namespace

FilesystemLayer build_filesystem_layer(const FilesystemPolicy& policy, const HostFacts& facts,
                                       const FilesystemInputs& inputs,
                                       const NetworkDecision& network, const HostPaths& host) {
  FilesystemLayer layer;
  const bool confined = policy.mode != FilesystemMode::off;
  if (!confined && network.kind != NetworkDecision::Kind::namespaced) return layer;

  layer.reason = reason_to_reject(policy, facts, inputs, network);
  if (!layer.reason.empty()) {
    layer.kind = FilesystemLayer::Kind::degrade;
    return layer;
  }

  const auto view = view_request(policy, facts, inputs, network, host);
  if (facts.native_engine) return native_layer(view);

  WrapperRequest request;
  request.network = network;
  // bubblewrap could not let the script ping in a network that it makes.
  request.enters_network = inputs.launcher_makes_network &&
                           network.kind == NetworkDecision::Kind::namespaced &&
                           (network.egress != Egress::routeless ||
                            facts.wrapper == Wrapper::bwrap || inputs.has_loopback_ports);
  request.filter_file = inputs.filter_file;
  request.inner_uid = inputs.inner_uid;
  request.inner_gid = inputs.inner_gid;
  request.confined = confined;
  if (confined) {
    request.scratch_directory = *inputs.scratch_directory;
    request.start_directory = inputs.start_directory.value_or(*inputs.scratch_directory);
  }
  layer.engine = facts.wrapper == Wrapper::bwrap ? Engine::bwrap : Engine::nsjail;
  request.program =
      facts.wrapper_path.empty() ? std::string(name_of(layer.engine)) : facts.wrapper_path;
  if (inputs.wants_own_view && (confined || layer.engine == Engine::nsjail)) {
    show_own_view(view, facts, host, request, layer);
    return layer;
  }
  layer.kind = FilesystemLayer::Kind::enforced;
  if (confined) show_upstream_view(policy, inputs, host, request);
  layer.wrapper =
      layer.engine == Engine::bwrap ? bwrap_argv(request) : upstream_nsjail_argv(request);
  return layer;
}

}  // namespace satellite::sandbox
