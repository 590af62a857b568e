#include "sandbox/launcher/wire/records.hpp"

#include "sandbox/launcher/wire/byte_codec.hpp"

#include <algorithm>

namespace satellite::sandbox {
namespace {

// Different ones, so that neither side can take its own words for the other's.
constexpr std::uint32_t record_magic = 0x4353'5243, request_magic = 0x5153'5243;  // "CRSC", "CRSQ"
constexpr std::uint32_t record_version = 6;
constexpr std::size_t record_text_size_max = 512;
constexpr std::size_t name_size_max = 128;
constexpr std::uint32_t names_max = 4;

std::string_view bounded(std::string_view text, std::size_t size_max) {
  return text.substr(0, size_max);
}

void write_names(ByteWriter& out, const std::vector<std::string>& names) {
  const auto count = std::min<std::size_t>(names.size(), names_max);
  out.number(static_cast<std::uint32_t>(count));
  for (std::size_t i = 0; i < count; ++i) out.text(bounded(names[i], name_size_max));
}

std::vector<std::string> read_names(ByteReader& in) {
  std::vector<std::string> names(in.count(names_max, sizeof(std::uint32_t)));
  for (auto& name : names) name = in.text(name_size_max);
  return names;
}

void write_measured_sizes(ByteWriter& out, const std::vector<MemorySize>& sizes) {
  const auto count = std::min<std::size_t>(sizes.size(), names_max);
  out.number(static_cast<std::uint32_t>(count));
  for (std::size_t i = 0; i < count; ++i) {
    out.text(bounded(sizes[i].path, path_size_max));
    out.number(sizes[i].bytes);
  }
}

std::vector<MemorySize> read_measured_sizes(ByteReader& in) {
  constexpr std::size_t element_size = sizeof(std::uint32_t) + sizeof(std::uint64_t);
  std::vector<MemorySize> sizes(in.count(names_max, element_size));
  for (auto& size : sizes) {
    size.path = in.text(path_size_max);
    size.bytes = in.number<std::uint64_t>();
  }
  return sizes;
}

/// The flags of a posture in the order in which they travel.
template <typename PostureType>
auto flags_of(PostureType& posture) {
  return std::array{&posture.no_new_privileges, &posture.own_user,     &posture.own_mount,
                    &posture.own_pid,           &posture.own_ipc,      &posture.own_uts,
                    &posture.own_network,       &posture.network_read, &posture.own_root,
                    &posture.mounts_read,       &posture.private_tmp,  &posture.own_cgroup,
                    &posture.root_sealed,       &posture.owns_network, &posture.keeps_signals,
                    &posture.shows_processes};
}

/// The optional numbers of a group in the order in which they travel.
template <typename CgroupType>
auto numbers_of(CgroupType& cgroup) {
  return std::array{&cgroup.memory_max, &cgroup.swap_max, &cgroup.pids_max, &cgroup.cpu_percent};
}

void write_measured_cgroup(ByteWriter& out, const MeasuredCgroup& cgroup) {
  out.number(static_cast<std::uint8_t>(cgroup.member));
  out.number(static_cast<std::uint8_t>(cgroup.oom_group));
  for (const auto* number : numbers_of(cgroup)) {
    out.number(static_cast<std::uint8_t>(number->has_value()));
    out.number(number->value_or(0));
  }
}

MeasuredCgroup read_measured_cgroup(ByteReader& in) {
  MeasuredCgroup cgroup;
  cgroup.member = in.flag();
  cgroup.oom_group = in.flag();
  for (auto* number : numbers_of(cgroup)) {
    const bool there = in.flag();
    const auto value = in.number<std::uint64_t>();
    if (there) *number = value;
    if (!there && value != 0) in.fail();
  }
  return cgroup;
}

void write_posture(ByteWriter& out, const Posture& posture) {
  for (const auto id : posture.uid) out.number(id);
  for (const auto id : posture.gid) out.number(id);
  out.number(posture.supplementary_groups);
  for (const auto set : posture.capabilities) out.number(set);
  out.number(posture.seccomp_mode);
  out.number(posture.seccomp_filters);
  out.number(posture.init_seccomp_mode);
  for (const auto id : posture.init_uid) out.number(id);
  out.number(posture.landlock_abi);
  for (const bool* flag : flags_of(posture)) out.number(static_cast<std::uint8_t>(*flag));
  write_names(out, posture.interfaces);
  out.number(posture.mounts);
  write_names(out, posture.unexpected_writable_mounts);
  write_measured_sizes(out, posture.memory_sizes);
  out.number(posture.shown_disks);
  out.number(posture.open_descriptors);
  out.number(posture.expected_descriptors);
  for (const auto& limit : posture.limits) {
    out.number(limit.soft);
    out.number(limit.hard);
  }
  out.number(posture.filter_rules);
  write_names(out, posture.routes);
  write_measured_cgroup(out, posture.cgroup);
}

Posture read_posture(ByteReader& in) {
  Posture posture;
  for (auto& id : posture.uid) id = in.number<std::uint32_t>();
  for (auto& id : posture.gid) id = in.number<std::uint32_t>();
  posture.supplementary_groups = in.number<std::uint32_t>();
  for (auto& set : posture.capabilities) set = in.number<std::uint64_t>();
  posture.seccomp_mode = in.number<std::uint32_t>();
  posture.seccomp_filters = in.number<std::uint32_t>();
  posture.init_seccomp_mode = in.number<std::uint32_t>();
  for (auto& id : posture.init_uid) id = in.number<std::uint32_t>();
  posture.landlock_abi = in.number<std::uint32_t>();
  for (bool* flag : flags_of(posture)) *flag = in.flag();
  posture.interfaces = read_names(in);
  posture.mounts = in.number<std::uint32_t>();
  posture.unexpected_writable_mounts = read_names(in);
  posture.memory_sizes = read_measured_sizes(in);
  posture.shown_disks = in.number<std::uint64_t>();
  posture.open_descriptors = in.number<std::uint32_t>();
  posture.expected_descriptors = in.number<std::uint32_t>();
  for (auto& limit : posture.limits) {
    limit.soft = in.number<std::uint64_t>();
    limit.hard = in.number<std::uint64_t>();
  }
  posture.filter_rules = in.number<std::uint32_t>();
  posture.routes = read_names(in);
  posture.cgroup = read_measured_cgroup(in);
  return posture;
}

struct EventWriter {
  ByteWriter& out;

  void operator()(const RunStarted& event) const {
    write_posture(out, event.posture);
    out.number(static_cast<std::uint8_t>(event.made_ahead.root));
    out.number(static_cast<std::uint8_t>(event.made_ahead.network));
  }
  void operator()(const RunSetupFailed& event) const {
    out.number(static_cast<std::uint32_t>(event.step));
    out.number(event.index);
    out.number(event.error_number);
    out.text(bounded(event.text, record_text_size_max));
  }
  void operator()(const RunRefused& event) const {
    out.text(bounded(event.missing, record_text_size_max));
  }
  void operator()(const RunEnded& event) const {
    out.number(static_cast<std::uint8_t>(event.status_known));
    out.number(event.wait_status);
    out.number(event.user_microseconds);
    out.number(event.system_microseconds);
    out.number(event.resident_max_kibibytes);
    out.number(static_cast<std::uint8_t>(event.lost_uplink));
    out.number(event.memory_limit_hit);
    out.number(static_cast<std::uint8_t>(event.memory_was_watched));
    out.number(event.process_limit_hit);
    out.number(static_cast<std::uint8_t>(event.state));
    out.text(bounded(event.state_lost, record_text_size_max));
    out.text(bounded(event.state_problem, record_text_size_max));
    out.number(static_cast<std::uint8_t>(event.ended_by_itself));
  }
  void operator()(const RunGone&) const {}
  void operator()(const RunPrepared& event) const { out.number(event.own_memory); }
  void operator()(const RunCounted& event) const {
    out.text(event.difference);
    out.number(event.own_memory);
  }
};

RunStarted read_started(ByteReader& in) {
  RunStarted event{read_posture(in)};
  event.made_ahead.root = in.flag();
  event.made_ahead.network = in.flag();
  return event;
}

RunSetupFailed read_setup_failed(ByteReader& in) {
  RunSetupFailed event;
  const auto step = in.number<std::uint32_t>();
  if (step > static_cast<std::uint32_t>(SetupStep::last)) in.fail();
  event.step = static_cast<SetupStep>(step);
  event.index = in.number<std::int32_t>();
  event.error_number = in.number<std::int32_t>();
  event.text = in.text(record_text_size_max);
  return event;
}

RunEnded read_ended(ByteReader& in) {
  RunEnded event;
  event.status_known = in.flag();
  event.wait_status = in.number<std::int32_t>();
  event.user_microseconds = in.number<std::uint64_t>();
  event.system_microseconds = in.number<std::uint64_t>();
  event.resident_max_kibibytes = in.number<std::uint64_t>();
  event.lost_uplink = in.flag();
  event.memory_limit_hit = in.number<std::uint64_t>();
  event.memory_was_watched = in.flag();
  event.process_limit_hit = in.number<std::uint64_t>();
  const auto state = in.number<std::uint8_t>();
  if (state > static_cast<std::uint8_t>(StateEnd::left)) in.fail();
  event.state = static_cast<StateEnd>(state);
  event.state_lost = in.text(record_text_size_max);
  event.state_problem = in.text(record_text_size_max);
  event.ended_by_itself = in.flag();
  return event;
}

Error not_a_record() {
  return Error{ErrorCode::invalid_input, "not a record of this launcher's version"};
}

ByteWriter begin(std::uint32_t magic, std::uint32_t kind, std::uint64_t run_number) {
  ByteWriter out;
  out.number(magic);
  out.number(record_version);
  out.number(kind);
  out.number(run_number);
  return out;
}

}  // namespace

std::string encode_request(const LauncherRequest& request) {
  ByteWriter out =
      begin(request_magic, static_cast<std::uint32_t>(request.kind), request.run_number);
  out.number(static_cast<std::uint8_t>(request.identity.has_value()));
  const Identity identity = request.identity.value_or(Identity{});
  out.number(identity.uid);
  out.number(identity.gid);
  return out.take();
}

Result<LauncherRequest> decode_request(std::string_view bytes) {
  ByteReader in(bytes);
  const auto magic = in.number<std::uint32_t>();
  const auto version = in.number<std::uint32_t>();
  const auto kind = in.number<std::uint32_t>();
  LauncherRequest request;
  request.run_number = in.number<std::uint64_t>();
  const bool has_identity = in.flag();
  Identity identity;
  identity.uid = in.number<std::uint32_t>();
  identity.gid = in.number<std::uint32_t>();
  if (!has_identity && identity != Identity{}) in.fail();
  if (!in.finished_well() || magic != request_magic || version != record_version || kind < 1 ||
      kind > static_cast<std::uint32_t>(RequestKind::count)) {
    return not_a_record();
  }
  if (has_identity) request.identity = identity;
  request.kind = static_cast<RequestKind>(kind);
  return request;
}

std::string encode_record(const LauncherRecord& record) {
  ByteWriter out =
      begin(record_magic, static_cast<std::uint32_t>(record.event.index()), record.run_number);
  out.number(static_cast<std::uint8_t>(record.remains));
  std::visit(EventWriter{out}, record.event);
  return out.take();
}

Result<LauncherRecord> decode_record(std::string_view bytes) {
  if (bytes.size() > record_size_max) return not_a_record();
  ByteReader in(bytes);
  const auto magic = in.number<std::uint32_t>();
  const auto version = in.number<std::uint32_t>();
  if (magic != record_magic || version != record_version) return not_a_record();
  const auto kind = in.number<std::uint32_t>();
  LauncherRecord record;
  record.run_number = in.number<std::uint64_t>();
  const auto remains = in.number<std::uint8_t>();
  if (remains > static_cast<std::uint8_t>(Remains::overdue)) in.fail();
  record.remains = static_cast<Remains>(remains);
  switch (kind) {
    case 0:
      record.event = read_started(in);
      break;
    case 1:
      record.event = read_setup_failed(in);
      break;
    case 2:
      record.event = RunRefused{in.text(record_text_size_max)};
      break;
    case 3:
      record.event = read_ended(in);
      break;
    case 4:
      record.event = RunGone{};
      break;
    case 5:
      record.event = RunPrepared{in.number<std::uint64_t>()};
      break;
    case 6: {
      RunCounted counted{in.text(record_text_size_max)};
      counted.own_memory = in.number<std::uint64_t>();
      record.event = std::move(counted);
      break;
    }
    default:
      return not_a_record();
  }
  if (!in.finished_well()) return not_a_record();
  return record;
}

}  // namespace satellite::sandbox
