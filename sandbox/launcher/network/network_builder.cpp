// Runs in a child of the launcher that lives a millisecond. Every descriptor of the launcher except
// the one it answers on is closed first: a run's pipe must not stay open because another run
// starts.
#include "sandbox/launcher/network/network_builder.hpp"

#include "sandbox/kernel/socket_messages.hpp"
#include "sandbox/launcher/bare/hardening.hpp"
#include "sandbox/launcher/network/links.hpp"
#include "sandbox/launcher/network/packet_filter_load.hpp"
#include "sandbox/launcher/wire/byte_codec.hpp"

#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/netlink.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <cerrno>
#include <span>

namespace satellite::sandbox {
namespace {

constexpr int answer_fd = 3;
constexpr std::size_t failure_size_max = 300;

struct Step {
  SetupStep step = SetupStep::none;
  Result<void> done;
};

Result<void> write_setting(const char* path, const std::string& text) {
  const UniqueFd file(::open(path, O_WRONLY | O_CLOEXEC));
  const auto size = static_cast<ssize_t>(text.size());
  if (!file || ::write(file.get(), text.data(), text.size()) != size) {
    return error_from_errno(path, errno);
  }
  return {};
}

/// Our user becomes 0 in there: slirp4netns confines itself only as root of its user namespace.
Result<void> map_identity(uid_t uid, gid_t gid) {
  // The files of /proc/self belong to us only while we are dumpable.
  ::prctl(PR_SET_DUMPABLE, 1);
  const std::string uid_map = "0 " + std::to_string(uid) + " 1";
  const std::string gid_map = "0 " + std::to_string(gid) + " 1";
  const auto written = bare::write_id_maps({uid_map.c_str(), gid_map.c_str()});
  ::prctl(PR_SET_DUMPABLE, 0);
  if (written.result >= 0) return {};
  return error_from_errno(bare::id_map_files[written.file], static_cast<int>(-written.result));
}

/// Neither a wrapper nor the init of an unprivileged run may write it. A host that forbids it, or
/// has no such setting, has scripts that cannot ping.
void let_group_ping(gid_t group) {
  const std::string number = std::to_string(group);
  static_cast<void>(write_setting("/proc/sys/net/ipv4/ping_group_range", number + " " + number));
}

Result<void> enter_new(int kind, const char* name) {
  if (::unshare(kind) != 0) return error_from_errno(name, errno);
  return {};
}

class Builder {
 public:
  /// Enters the parent user namespace, whose descriptor is closed next.
  Builder(const LaunchOrder& order, const NetworkMeans& means)
      : order_(*order.network),
        fault_(order.fault),
        means_(means),
        pinging_group_(means.is_root && order.identity ? order.identity->gid : 0) {
    const int parent = means.parent_user_namespace;
    if (parent >= 0 && ::setns(parent, CLONE_NEWUSER) != 0) {
      enter_parent_ = error_from_errno("parent user namespace", errno);
    }
  }

  /// The first step that fails, or one with the number none.
  Step build() {
    using enum SetupStep;
    Step step;
    const bool wants_ipv6 = is_macvlan() && means_.macvlan->ipv6 && opens_ipv6(order_.filter);
    const auto next = [&](SetupStep number, const auto& perform) {
      if (!step.done) return;
      step = {number, fault_.hits(number) ? fault() : perform()};
    };
    next(network_namespace, [&] { return make_namespaces(); });
    const bool has_way_out = order_.egress != Egress::routeless;
    if (has_way_out) next(network_ipv6, [&] { return set_ipv6(wants_ipv6); });
    next(network_loopback, [&] { return raise_loopback(); });
    if (step.done) let_group_ping(pinging_group_);
    if (has_way_out) {
      next(network_filter, [&] { return load_packet_filter(order_.filter); });
      next(network_filter_check, [&] { return check_packet_filter(order_.filter); });
    }
    if (is_macvlan()) {
      next(network_uplink, [&] { return uplink(); });
      next(network_address, [&] { return address(wants_ipv6); });
      next(network_route, [&] { return route(wants_ipv6); });
    }
    if (step.done) step.step = none;
    return step;
  }

  int network_namespace() const { return namespace_.get(); }

 private:
  Result<void> fault() const { return error_from_errno("a fault", fault_.error_number); }
  bool is_macvlan() const { return order_.egress == Egress::macvlan && means_.macvlan; }

  Result<void> make_namespaces() {
    if (order_.egress == Egress::macvlan && !means_.macvlan) {
      return Error{ErrorCode::unsupported, "no macvlan uplink is configured"};
    }
    auto host = kernel::NetlinkSocket::open(NETLINK_ROUTE);
    if (!host) return host.error();
    host_ = *std::move(host);
    if (is_macvlan()) parent_ = index_of_interface(means_.macvlan->interface.c_str());
    const uid_t uid = ::geteuid();
    const gid_t gid = ::getegid();
    Result<void> done;
    if (!means_.is_root) {
      done = enter_parent_;
      if (done) done = enter_new(CLONE_NEWUSER, "user namespace");
      if (done) done = map_identity(uid, gid);
    }
    if (done) done = enter_new(CLONE_NEWNET, "network namespace");
    if (!done) return done;
    namespace_ = UniqueFd(::open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC));
    if (!namespace_) return error_from_errno("/proc/self/ns/net", errno);
    return {};
  }
  Result<void> uplink() {
    if (!parent_) return parent_.error();
    return make_macvlan(*host_, *parent_, namespace_.get(), *means_.macvlan);
  }
  Result<void> address(bool ipv6) {
    auto done = address_uplink(means_.macvlan->ipv4);
    if (done && ipv6) done = address_uplink(*means_.macvlan->ipv6);
    return done;
  }
  Result<void> route(bool ipv6) {
    auto done = raise_uplink();
    if (done) done = route_through_uplink(means_.macvlan->ipv4);
    if (done && ipv6) done = route_through_uplink(*means_.macvlan->ipv6);
    return done;
  }

  const NetworkOrder& order_;
  const Fault& fault_;
  Result<void> enter_parent_;
  const NetworkMeans& means_;
  gid_t pinging_group_;  ///< as the network's user namespace counts: there group 0 is our own
  std::optional<kernel::NetlinkSocket> host_;
  Result<int> parent_ = 0;  ///< the macvlan's, in the host's namespace
  UniqueFd namespace_;
};

void answer(const Step& step, std::span<const int> descriptors) {
  ByteWriter out;
  out.number(static_cast<std::uint32_t>(step.step));
  out.text(step.done ? std::string_view()
                     : std::string_view(step.done.error().message).substr(0, failure_size_max));
  const std::string bytes = out.take();
  static_cast<void>(kernel::send_message(answer_fd, std::as_bytes(std::span(bytes)), descriptors));
}

}  // namespace

void build_network(const LaunchOrder& order, const NetworkMeans& means, int socket) {
  Builder builder(order, means);
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (socket != answer_fd) ::dup3(socket, answer_fd, O_CLOEXEC);
  ::syscall(SYS_close_range, answer_fd + 1, ~0U, 0);
  const Step step = builder.build();
  if (step.done) {
    const UniqueFd user(means.is_root ? -1 : ::open("/proc/self/ns/user", O_RDONLY | O_CLOEXEC));
    const int descriptors[] = {builder.network_namespace(), user.get()};
    answer(step, std::span(descriptors, user ? 2 : 1));
  } else {
    answer(step, {});
  }
  ::_exit(0);
}

SetupResult<NetworkNamespace> take_built_network(std::string_view bytes,
                                                 std::vector<UniqueFd> descriptors) {
  ByteReader in(bytes);
  const auto number = in.number<std::uint32_t>();
  RunSetupFailed failure{SetupStep::network_namespace, 0, 0, in.text(failure_size_max)};
  const bool readable = in.finished_well() && number <= static_cast<std::uint32_t>(SetupStep::last);
  if (readable && number == 0 && !descriptors.empty()) {
    NetworkNamespace made;
    made.network_namespace = std::move(descriptors[0]);
    if (descriptors.size() > 1) made.user_namespace = std::move(descriptors[1]);
    return made;
  }
  if (readable && number != 0) failure.step = static_cast<SetupStep>(number);
  if (failure.text.empty()) failure.text = "the network's builder died";
  if (const auto remedy = remedy_of_network_step(failure.step); !remedy.empty()) {
    failure.text += "; " + std::string(remedy);
  }
  return failure;
}

std::string_view remedy_of_network_step(SetupStep step) {
  switch (step) {
    case SetupStep::network_namespace:
      return "allow unprivileged user and network namespaces, or give a root satellite "
             "CAP_SYS_ADMIN";
    case SetupStep::network_loopback:
      return "a root satellite needs CAP_NET_ADMIN";
    case SetupStep::network_ipv6:
      return "/proc/sys must be writable for the satellite (in a container: an unmasked /proc)";
    case SetupStep::network_filter:
    case SetupStep::network_filter_check:
      return "load the kernel's nf_tables module (modprobe nf_tables); a root satellite needs "
             "CAP_NET_ADMIN";
    case SetupStep::network_uplink:
      return "check CHECKSTACK_SANDBOX_MACVLAN_IFACE, the macvlan module and, for a root "
             "satellite, CAP_NET_ADMIN; Wi-Fi and many clouds carry no macvlan";
    case SetupStep::network_address:
    case SetupStep::network_route:
      return "check CHECKSTACK_SANDBOX_MACVLAN_IP, _NM and _GW: the gateway must lie in the "
             "address's own network";
    case SetupStep::network_slirp4netns:
      return "install slirp4netns and let the satellite open /dev/net/tun (mode 0666, or a device "
             "rule of the container); a root satellite needs CAP_SYS_ADMIN, CAP_NET_ADMIN and "
             "CAP_NET_BIND_SERVICE for it";
    case SetupStep::network_forwarder:
      return "the ports of host_view.loopback could not be bound in the run's network; the kernel "
             "needs sock_diag (CONFIG_INET_DIAG)";
    default:
      return {};
  }
}

}  // namespace satellite::sandbox
