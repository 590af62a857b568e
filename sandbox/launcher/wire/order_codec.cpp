// The agent parses hostile network input and the launcher may be privileged: the launcher believes
// nothing of an order that it did not check itself, here.
#include "sandbox/launcher/wire/order_codec.hpp"

#include "protocol/vocabulary/limits.hpp"
#include "protocol/vocabulary/secret.hpp"
#include "sandbox/host/host_view.hpp"
#include "sandbox/kernel/memory_file.hpp"
#include "sandbox/launcher/wire/byte_codec.hpp"
#include "sandbox/launcher/wire/order_sense.hpp"
#include "sandbox/planning/shown_disks.hpp"
#include "sandbox/state/packed_state.hpp"

#include <initializer_list>
#include <span>

namespace satellite::sandbox {
namespace {

constexpr std::uint32_t order_magic = 0x4353'4f52;  // "CSOR"
constexpr std::uint32_t order_version = 10;
constexpr std::uint32_t words_max = 4'096;
constexpr std::size_t word_size_max = (128U << 10U) - 1;  // MAX_ARG_STRLEN, execve(2)
constexpr std::size_t text_size_max = 2U << 20U;
constexpr std::uint32_t limits_max = 8;
constexpr std::uint32_t paths_max = 16;
constexpr std::uint32_t readable_paths_max = 256;
constexpr std::size_t interface_name_size_max = 15;
constexpr std::size_t type_size_max = 64;
constexpr std::uint32_t environment_entries_max = 4'096;
constexpr std::uint64_t cpu_percent_max = 1'000'000;  // ten thousand processors
constexpr std::uint32_t steps_max = 2'048;
constexpr std::size_t step_text_size_max = 64U << 10U;  // a small file made for the run
constexpr std::size_t step_size_min = 3 * sizeof(std::uint32_t);
static_assert(static_cast<int>(FilterRule::Verdict::accept) == 1);
static_assert(static_cast<int>(AddressBlock::Family::ipv6) == 1);
static_assert(environment_entries_max >= limits::environment_entries_max);
static_assert(text_size_max > limits::script_size_max.value);
static_assert(text_size_max > limits::stdin_size_max.value);

// --- Write --------------------------------------------------------------------------------------

void write_words(ByteWriter& out, const std::vector<std::string>& words) {
  out.number(static_cast<std::uint32_t>(words.size()));
  for (const auto& word : words) out.text(word);
}

void write_optional(ByteWriter& out, const std::optional<std::string>& text) {
  out.number(static_cast<std::uint8_t>(text.has_value()));
  if (text) out.text(*text);
}

void write_identity(ByteWriter& out, const std::optional<Identity>& identity) {
  out.number(static_cast<std::uint8_t>(identity.has_value()));
  if (!identity) return;
  out.number(identity->uid);
  out.number(identity->gid);
}

void write_settings(ByteWriter& out, const std::vector<ResourceSetting>& settings) {
  out.number(static_cast<std::uint32_t>(settings.size()));
  for (const auto& setting : settings) {
    out.number(static_cast<std::uint32_t>(setting.resource));
    out.number(setting.value);
  }
}

void write_flags(ByteWriter& out, std::initializer_list<bool> flags) {
  for (const bool flag : flags) out.number(static_cast<std::uint8_t>(flag));
}

void write_cgroup(ByteWriter& out, const CgroupLimits& limits) {
  for (const auto* limit : {&limits.memory_bytes, &limits.processes, &limits.cpu_percent}) {
    out.number(static_cast<std::uint8_t>(limit->has_value()));
    out.number(limit->value_or(0));
  }
}

void write_sizes(ByteWriter& out, const std::vector<MemorySize>& sizes) {
  out.number(static_cast<std::uint32_t>(sizes.size()));
  for (const auto& size : sizes) {
    out.text(size.path);
    out.number(size.bytes);
  }
}

void write_readable(ByteWriter& out, const std::vector<ReadablePath>& paths) {
  out.number(static_cast<std::uint32_t>(paths.size()));
  for (const auto& path : paths) {
    out.text(path.path);
    out.number(static_cast<std::uint8_t>(path.executable));
  }
}

void write_disks(ByteWriter& out, const std::vector<ShownDisk>& disks) {
  out.number(static_cast<std::uint32_t>(disks.size()));
  for (const auto& disk : disks) {
    for (const auto* text : {&disk.target, &disk.type, &disk.device}) out.text(*text);
  }
}

void write_expectation(ByteWriter& out, const Expectation& expectation) {
  write_flags(out, {expectation.own_namespaces, expectation.own_network, expectation.routeless,
                    expectation.confined_filesystem, expectation.not_host_root,
                    expectation.own_user_namespace, expectation.filtered_calls,
                    expectation.bare_of_privilege, expectation.sealed_root,
                    expectation.network_out_of_reach, expectation.shows_processes});
  out.number(expectation.init_uid);
  write_identity(out, expectation.identity);
  write_settings(out, expectation.resource_settings);
  write_sizes(out, expectation.memory_sizes);
  out.text(expectation.uplink);
  out.number(expectation.filter_rules);
  write_cgroup(out, expectation.cgroup);
  write_disks(out, expectation.disks);
}

void write_steps(ByteWriter& out, std::span<const FileStep> steps) {
  out.number(static_cast<std::uint32_t>(steps.size()));
  for (const auto& step : steps) {
    out.number(static_cast<std::uint32_t>(step.kind));
    out.text(step.target);
    out.text(step.source);
    out.number(step.size);
    out.number(step.mode);
    write_flags(out, {step.optional, step.writable});
  }
}

void write_native_plan(ByteWriter& out, const std::optional<NativePlan>& plan) {
  out.number(static_cast<std::uint8_t>(plan.has_value()));
  if (!plan) return;
  write_flags(out, {plan->confined, plan->own_network, plan->root_owned, plan->root_on_disk,
                    plan->shows_processes});
  out.number(plan->root_steps);
  write_steps(out, plan->steps);
}

void write_network(ByteWriter& out, const std::optional<NetworkOrder>& network) {
  out.number(static_cast<std::uint8_t>(network.has_value()));
  if (!network) return;
  out.number(static_cast<std::uint32_t>(network->egress));
  out.number(static_cast<std::uint32_t>(network->filter.rules.size()));
  out.number(static_cast<std::uint32_t>(network->loopback_ports.size()));
  for (const auto port : network->loopback_ports) out.number(port);
  for (const auto& rule : network->filter.rules) {
    out.number(static_cast<std::uint8_t>(rule.match));
    out.number(static_cast<std::uint8_t>(rule.verdict));
    out.number(static_cast<std::uint8_t>(rule.destination.family));
    for (const auto byte : rule.destination.bytes) out.number(byte);
    out.number(static_cast<std::uint32_t>(rule.destination.prefix_length));
  }
}

void write_fault(ByteWriter& out, const Fault& fault) {
  out.number(static_cast<std::uint32_t>(fault.step));
  out.number(fault.index);
  out.number(fault.error_number);
}

/// Everything that a run is made of before it has anything to do.
void write_setup(ByteWriter& out, const LaunchOrder& order) {
  out.number(order.run_number);
  out.number(static_cast<std::uint32_t>(order.engine));
  for (const auto* words : {&order.wrapper, &order.wrapper_files, &order.writable_paths})
    write_words(out, *words);
  write_readable(out, order.readable_paths);
  out.text(order.scratch_directory);
  write_identity(out, order.identity);
  out.number(static_cast<std::uint8_t>(order.identity_is_own));
  out.number(order.init_uid);
  write_settings(out, order.resource_settings);
  write_expectation(out, order.expectation);
  write_native_plan(out, order.native);
  write_network(out, order.network);
  write_cgroup(out, order.cgroup);
  out.number(order.watched_memory_bytes);
  out.number(order.state_bytes);
}

/// What it does then.
void write_task(ByteWriter& out, const LaunchOrder& order) {
  write_words(out, order.command);
  write_optional(out, order.long_script);
  out.number(static_cast<std::uint32_t>(order.environment.size()));
  for (const auto& [name, value] : order.environment) {
    out.text(name);
    out.text(value);
  }
  write_optional(out, order.working_directory);
  write_optional(out, order.standard_input);
  out.number(static_cast<std::uint8_t>(order.is_module));
  write_fault(out, order.fault);
}

// --- Read ---------------------------------------------------------------------------------------

/// Text that becomes a C string: what follows a NUL would silently vanish.
std::string read_c_string(ByteReader& in, std::size_t size_max) {
  std::string text = in.text(size_max);
  if (text.find('\0') != std::string::npos) in.fail();
  return text;
}

std::vector<std::string> read_words(ByteReader& in) {
  std::vector<std::string> words(in.count(words_max, sizeof(std::uint32_t)));
  for (auto& word : words) word = read_c_string(in, word_size_max);
  return words;
}

std::vector<std::string> read_texts(ByteReader& in) {
  std::vector<std::string> texts(in.count(wrapper_files_max, sizeof(std::uint32_t)));
  for (auto& text : texts) text = in.text(text_size_max);
  return texts;
}

std::vector<std::string> read_paths(ByteReader& in) {
  std::vector<std::string> paths(in.count(paths_max, sizeof(std::uint32_t)));
  for (auto& path : paths) path = read_c_string(in, path_size_max);
  return paths;
}

std::vector<ReadablePath> read_readable(ByteReader& in) {
  std::vector<ReadablePath> paths(in.count(readable_paths_max, sizeof(std::uint32_t) + 1));
  for (auto& path : paths) {
    path.path = read_c_string(in, path_size_max);
    path.executable = in.flag();
    if (!path.path.starts_with('/')) in.fail();
  }
  return paths;
}

std::vector<MemorySize> read_sizes(ByteReader& in) {
  constexpr std::size_t element_size = sizeof(std::uint32_t) + sizeof(std::uint64_t);
  std::vector<MemorySize> sizes(in.count(paths_max, element_size));
  for (auto& size : sizes) {
    size.path = read_c_string(in, path_size_max);
    size.bytes = in.number<std::uint64_t>();
  }
  return sizes;
}

std::optional<std::string> read_optional(ByteReader& in, std::size_t size_max) {
  if (!in.flag()) return std::nullopt;
  return in.text(size_max);
}

std::optional<Identity> read_identity(ByteReader& in) {
  if (!in.flag()) return std::nullopt;
  Identity identity;
  identity.uid = in.number<std::uint32_t>();
  identity.gid = in.number<std::uint32_t>();
  return identity;
}

std::vector<ResourceSetting> read_settings(ByteReader& in) {
  constexpr std::size_t element_size = sizeof(std::uint32_t) + sizeof(std::uint64_t);
  std::vector<ResourceSetting> settings(in.count(limits_max, element_size));
  for (auto& setting : settings) {
    const auto resource = in.number<std::uint32_t>();
    if (resource > static_cast<std::uint32_t>(Resource::file_size)) in.fail();
    setting.resource = static_cast<Resource>(resource);
    setting.value = in.number<std::uint64_t>();
  }
  return settings;
}

std::vector<std::pair<std::string, std::string>> read_environment(ByteReader& in) {
  std::vector<std::pair<std::string, std::string>> entries(
      in.count(environment_entries_max, 2 * sizeof(std::uint32_t)));
  for (auto& [name, value] : entries) {
    name = read_c_string(in, word_size_max);
    value = read_c_string(in, word_size_max);
    if (name.empty() || name.find('=') != std::string::npos) in.fail();
  }
  return entries;
}

void read_flags(ByteReader& in, std::initializer_list<bool*> flags) {
  for (bool* const flag : flags) *flag = in.flag();
}

CgroupLimits read_cgroup(ByteReader& in) {
  CgroupLimits limits;
  for (auto* limit : {&limits.memory_bytes, &limits.processes, &limits.cpu_percent}) {
    const bool set = in.flag();
    const auto value = in.number<std::uint64_t>();
    if (set) *limit = value;
    if (!set && value != 0) in.fail();
  }
  if (limits.cpu_percent.value_or(0) > cpu_percent_max) in.fail();
  return limits;
}

std::vector<ShownDisk> read_disks(ByteReader& in) {
  constexpr std::size_t element_size = 3 * sizeof(std::uint32_t);
  std::vector<ShownDisk> disks(in.count(shown_disks_max, element_size));
  for (auto& disk : disks) {
    disk.target = read_c_string(in, path_size_max);
    disk.type = read_c_string(in, type_size_max);
    disk.device = read_c_string(in, type_size_max);
    if (!disk.target.starts_with('/')) in.fail();
  }
  return disks;
}

Expectation read_expectation(ByteReader& in) {
  Expectation expectation;
  read_flags(in, {&expectation.own_namespaces, &expectation.own_network, &expectation.routeless,
                  &expectation.confined_filesystem, &expectation.not_host_root,
                  &expectation.own_user_namespace, &expectation.filtered_calls,
                  &expectation.bare_of_privilege, &expectation.sealed_root,
                  &expectation.network_out_of_reach, &expectation.shows_processes});
  expectation.init_uid = in.number<std::uint32_t>();
  expectation.identity = read_identity(in);
  expectation.resource_settings = read_settings(in);
  expectation.memory_sizes = read_sizes(in);
  expectation.uplink = read_c_string(in, interface_name_size_max);
  expectation.filter_rules = in.number<std::uint32_t>();
  expectation.cgroup = read_cgroup(in);
  expectation.disks = read_disks(in);
  return expectation;
}

bool climbs(std::string_view path) {
  while (!path.empty()) {
    const auto part = path.substr(0, path.find('/'));
    if (part == "..") return true;
    path.remove_prefix(std::min(path.size(), part.size() + 1));
  }
  return false;
}

FileStep read_step(ByteReader& in) {
  FileStep step;
  const auto kind = in.number<std::uint32_t>();
  if (kind > static_cast<std::uint32_t>(FileStepKind::last)) in.fail();
  step.kind = static_cast<FileStepKind>(kind);
  step.target = read_c_string(in, path_size_max);
  const bool is_content = step.kind == FileStepKind::text || step.kind == FileStepKind::append ||
                          step.kind == FileStepKind::own_text;
  step.source = read_c_string(in, is_content ? step_text_size_max : path_size_max);
  if (step.target.empty() || step.target.front() == '/' || climbs(step.target)) in.fail();
  step.size = in.number<std::uint64_t>();
  step.mode = in.number<std::uint32_t>();
  read_flags(in, {&step.optional, &step.writable});
  return step;
}

std::optional<NativePlan> read_native_plan(ByteReader& in) {
  if (!in.flag()) return std::nullopt;
  NativePlan plan;
  read_flags(in, {&plan.confined, &plan.own_network, &plan.root_owned, &plan.root_on_disk,
                  &plan.shows_processes});
  plan.root_steps = in.number<std::uint32_t>();
  plan.steps.resize(in.count(steps_max, step_size_min));
  for (auto& step : plan.steps) step = read_step(in);
  if (plan.root_steps > plan.steps.size() || (plan.root_steps > 0 && !plan.confined)) in.fail();
  if ((plan.root_on_disk || plan.shows_processes) && !plan.confined) in.fail();
  return plan;
}

FilterRule read_filter_rule(ByteReader& in) {
  FilterRule rule;
  const auto match = in.number<std::uint8_t>();
  if (match > static_cast<std::uint8_t>(FilterRule::Match::everything)) in.fail();
  rule.match = static_cast<FilterRule::Match>(match);
  rule.verdict = in.flag() ? FilterRule::Verdict::accept : FilterRule::Verdict::drop;
  rule.destination.family = in.flag() ? AddressBlock::Family::ipv6 : AddressBlock::Family::ipv4;
  for (auto& byte : rule.destination.bytes) byte = in.number<std::uint8_t>();
  rule.destination.prefix_length = in.number<std::uint32_t>();
  const bool ipv4 = rule.destination.family == AddressBlock::Family::ipv4;
  if (rule.destination.prefix_length > (ipv4 ? 32U : 128U)) in.fail();
  return rule;
}

std::optional<NetworkOrder> read_network(ByteReader& in) {
  if (!in.flag()) return std::nullopt;
  NetworkOrder network;
  const auto egress = in.number<std::uint32_t>();
  network.egress = static_cast<Egress>(egress);
  const bool has_way_out =
      network.egress == Egress::macvlan || network.egress == Egress::slirp4netns;
  if (!has_way_out && network.egress != Egress::routeless) in.fail();
  constexpr std::size_t rule_size = 3 + 16 + sizeof(std::uint32_t);
  network.filter.rules.resize(in.count(filter_rules_max, rule_size));
  network.loopback_ports.resize(in.count(loopback_ports_max, sizeof(std::uint16_t)));
  for (auto& port : network.loopback_ports) {
    port = in.number<std::uint16_t>();
    if (port == 0) in.fail();
  }
  for (auto& rule : network.filter.rules) rule = read_filter_rule(in);
  if (network.filter.rules.empty() == has_way_out) in.fail();
  return network;
}

Fault read_fault(ByteReader& in) {
  Fault fault;
  const auto step = in.number<std::uint32_t>();
  if (step > static_cast<std::uint32_t>(SetupStep::last)) in.fail();
  fault.step = static_cast<SetupStep>(step);
  fault.index = in.number<std::int32_t>();
  fault.error_number = in.number<std::int32_t>();
  if (!fault.is_sound()) in.fail();
  return fault;
}

void read_setup(ByteReader& in, LaunchOrder& order) {
  order.run_number = in.number<std::uint64_t>();
  const auto engine = in.number<std::uint32_t>();
  if (engine > static_cast<std::uint32_t>(Engine::native)) in.fail();
  order.engine = static_cast<Engine>(engine);
  order.wrapper = read_words(in);
  order.wrapper_files = read_texts(in);
  order.writable_paths = read_paths(in);
  order.readable_paths = read_readable(in);
  order.scratch_directory = read_c_string(in, path_size_max);
  order.identity = read_identity(in);
  order.identity_is_own = in.flag();
  order.init_uid = in.number<std::uint32_t>();
  order.resource_settings = read_settings(in);
  order.expectation = read_expectation(in);
  order.native = read_native_plan(in);
  const bool shows = order.native && order.native->shows_processes;
  // What is not expected would not be measured.
  if (shows != order.expectation.shows_processes) in.fail();
  if (order.init_uid != order.expectation.init_uid) in.fail();
  order.network = read_network(in);
  order.cgroup = read_cgroup(in);
  order.watched_memory_bytes = in.number<std::uint64_t>();
  order.state_bytes = in.number<std::uint64_t>();
  if (order.state_bytes > state_size_max.value) in.fail();
}

void read_task(ByteReader& in, LaunchOrder& order) {
  order.command = read_words(in);
  order.long_script = read_optional(in, text_size_max);
  order.environment = read_environment(in);
  order.working_directory = read_optional(in, path_size_max);
  if (order.working_directory.value_or("").find('\0') != std::string::npos) in.fail();
  order.standard_input = read_optional(in, text_size_max);
  order.is_module = in.flag();
  order.fault = read_fault(in);
}

}  // namespace

std::string encode_setup(const LaunchOrder& order) {
  ByteWriter out;
  write_setup(out, order);
  return out.take();
}

std::string encode_order(const LaunchOrder& order) {
  ByteWriter out;
  out.number(order_magic);
  out.number(order_version);
  write_setup(out, order);
  write_task(out, order);
  return out.take();
}

Result<LaunchOrder> decode_order(std::string_view bytes) {
  if (bytes.size() > launch_order_size_max.value) return not_an_order("too long");
  ByteReader in(bytes);
  if (in.number<std::uint32_t>() != order_magic) return not_an_order("foreign bytes");
  if (in.number<std::uint32_t>() != order_version) return not_an_order("another version");
  LaunchOrder order;
  read_setup(in, order);
  read_task(in, order);
  if (!in.finished_well()) return not_an_order("torn or too long");
  if (const auto sensible = make_sense(order); !sensible) return sensible.error();
  return order;
}

Result<LaunchOrder> take_order(int fd, std::uint64_t run_number) {
  auto bytes = kernel::read_sealed_file(fd, launch_order_size_max);
  if (!bytes) return bytes.error();
  auto order = decode_order(*bytes);
  wipe(*bytes);
  if (order && order->run_number != run_number) return not_an_order("it is for another run");
  return order;
}

}  // namespace satellite::sandbox
