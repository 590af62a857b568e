#include "sandbox/host/host_view.hpp"
#include "sandbox/kernel/cgroup_text.hpp"
#include "sandbox/kernel/netlink.hpp"
#include "sandbox/kernel/proc_facts.hpp"
#include "sandbox/launcher/verify/route_table.hpp"
#include "sandbox/planning/file_system_types.hpp"
#include "sandbox/planning/shown_disks.hpp"
#include "tests/fuzz/promises.hpp"
#include "tests/fuzz/targets.hpp"

#include <linux/netlink.h>

namespace satellite::fuzz {
namespace {

using namespace satellite::sandbox;
using namespace satellite::sandbox::kernel;

bool lies_within(std::string_view part, std::string_view whole) {
  return part.empty() ||
         (part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size());
}

Broken check_answer(std::string_view datagram, SequenceRange asked) {
  Broken broken;
  const auto reading = read_answer(datagram, asked, [&](std::uint16_t, std::string_view payload) {
    if (!lies_within(payload, datagram)) broken = "an answer from beyond the datagram";
  });
  if (broken) return broken;
  if (reading.error_number < 0 || reading.error_number > 4'095) return "an errno that is none";
  if (reading.error_number != 0 && !reading.complete) return "an error that does not end it";
  return std::nullopt;
}

/// Attributes of the input's making, put together and taken apart.
Broken check_attributes(std::string_view input) {
  NetlinkMessage message(NLMSG_MIN_TYPE, NLM_F_REQUEST);
  std::vector<std::pair<std::uint16_t, std::string_view>> written;
  while (input.size() >= 2) {
    const auto type = static_cast<std::uint16_t>(static_cast<unsigned char>(input[0]));
    const auto value = input.substr(2, static_cast<unsigned char>(input[1]));
    input.remove_prefix(2 + value.size());
    message.attribute(type, std::as_bytes(std::span(value)));
    written.emplace_back(type, value);
  }
  const auto attributes = message.bytes().substr(sizeof(nlmsghdr));
  auto next = written.begin();
  const bool whole =
      for_each_attribute(attributes, [&](std::uint16_t type, std::string_view value) {
        if (next == written.end() || *next != std::pair(type, value)) return false;
        ++next;
        return true;
      });
  if (!whole || next != written.end()) return "attributes are not read as they were written";
  return std::nullopt;
}

Broken check_status(std::string_view text) {
  const auto status = parse_status(text);
  if (!status) return unless_fit_for_log(status.error());
  // A fact that is reported must stand there.
  if (status->no_new_privileges && text.find("NoNewPrivs:") == std::string_view::npos) {
    return "a fact that was not read";
  }
  return std::nullopt;
}

/// Whatever the table says, nothing that may wait is looked at, and no more is shown than an order
/// has room for.
Broken check_disks(std::string_view text) {
  HostPaths host;
  host.mountinfo = [text] { return std::string(text); };
  host.real_path = [](const std::string& path) { return std::optional(path); };
  const auto shown = find_disks(host, {true, "/tmp/csat-1/runs/run-1/scratch", {"/var/log"}});
  if (shown.disks.size() > shown_disks_max) return "more disks than there may be";
  for (const auto& disk : shown.disks) {
    if (!disk.target.starts_with('/')) return "a disk at no place";
    if (waits_for_others(disk.type)) return "a disk that may wait for others";
    if (is_at_or_below("/var/log", disk.target) && disk.target != "/") {
      return "a disk in the place of something else";
    }
  }
  return std::nullopt;
}

Broken check_mountinfo(std::string_view text) {
  const auto mounts = parse_mountinfo(text);
  if (!mounts) return unless_fit_for_log(mounts.error());
  if (mounts->size() != lines_of(text).size()) return "a mount was passed over";
  for (const auto& mount : *mounts) {
    if (mount.target.empty() || mount.type.empty()) return "a mount without target or type";
  }
  mounted_path(text, "/group/of/a/run");
  return check_disks(text);
}

Broken check_small_texts(std::string_view text) {
  const auto limit = find_limit(text, "Max open files");
  if (!limit && !is_fit_for_log(limit.error())) return "an error that is not fit for a log";
  const auto exiting = parse_is_exiting(text);
  if (!exiting && !is_fit_for_log(exiting.error())) return "an error that is not fit for a log";
  cgroup_number(text);
  cgroup_value(text, "oom_kill");
  cpu_max_percent(text);
  names_controller(text, "memory");
  const auto path = unified_path(text);
  if (path && (path->front() != '/' || path->starts_with("/.."))) return "a path that leads out";
  return std::nullopt;
}

Broken check_network_texts(std::string_view text) {
  const auto interfaces = parse_interfaces(text);
  if (interfaces && interfaces->size() + 2 != lines_of(text).size()) {
    return "an interface was passed over";
  }
  const auto lines = lines_of(text).size();
  if (describe_routes(text).size() + 1 < lines) return "a route was passed over";
  return std::nullopt;
}

}  // namespace

Broken check_netlink_target(std::string_view input) {
  if (auto broken = check_answer(input, {1, 3})) return broken;
  for_each_attribute(input, [&](std::uint16_t, std::string_view) { return true; });
  const auto half = input.substr(0, input.size() / 2 / 4 * 4);
  holds_all_of(input, half);
  holds_all_of(half, input);
  return check_attributes(input);
}

Broken check_kernel_text_target(std::string_view input) {
  if (input.empty()) return std::nullopt;
  const auto text = input.substr(1);
  switch (static_cast<unsigned char>(input[0]) % 4) {
    case 0:
      return check_status(text);
    case 1:
      return check_mountinfo(text);
    case 2:
      return check_small_texts(text);
    default:
      return check_network_texts(text);
  }
}

}  // namespace satellite::fuzz
