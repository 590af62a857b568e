#pragma once

#include "protocol/vocabulary/unique_fd.hpp"
#include "sandbox/host/macvlan_settings.hpp"
#include "sandbox/launcher/wire/launch_order.hpp"
#include "sandbox/launcher/wire/setup_result.hpp"

#include <optional>
#include <string_view>
#include <vector>

namespace satellite::sandbox {

/// What the launcher knows about ways out of a network namespace.
struct NetworkMeans {
  bool is_root = false;
  std::optional<MacvlanSettings> macvlan{};
  /// The user namespace that networks are made below, without root and once there is one; -1 =
  /// ours.
  int parent_user_namespace = -1;
  int forwarder_program = -1;  ///< an executable memory file; -1 = this host has none
};

/// A network namespace with its filter loaded and read back, seen from outside.
///
/// Shape:  `user_namespace` owns it and is set under an unprivileged launcher, where it maps our
///         user to 0; under root the initial user namespace owns it.
struct NetworkNamespace {
  UniqueFd network_namespace, user_namespace;
  bool is_below_parents = false;  ///< of user_namespace: NetworkMeans::parent_user_namespace
  /// Has no way out and was there before its run, which then owes nothing to a builder. Without
  /// root `user_namespace` is the parent itself, where our user is itself.
  bool is_from_stock = false;
};

/// The life of the short-lived process that makes the namespaces of one run; never returns.
///
/// Shape:  in this order: namespaces, IPv6 off unless the filter lets it out, lo up, the script's
///         group allowed to ping, filter loaded, filter read back and compared, and only then the
///         macvlan with address and route. Without a way out there is no filter. Sends
///         one message to `socket`: the namespaces, or the step that failed. The namespaces live
///         on in the descriptors; nothing else is left of this process. `order` has a network.
[[noreturn]] void build_network(const LaunchOrder& order, const NetworkMeans& means, int socket);

/// The builder's answer. Errors: the step that it names; bytes that are no answer are a failure,
/// too.
SetupResult<NetworkNamespace> take_built_network(std::string_view bytes,
                                                 std::vector<UniqueFd> descriptors);

/// What an operator can do about a step that failed; empty for steps of other parts.
std::string_view remedy_of_network_step(SetupStep step);

}  // namespace satellite::sandbox
