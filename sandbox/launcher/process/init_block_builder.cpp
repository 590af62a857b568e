#include "sandbox/launcher/process/init_block_builder.hpp"

#include <sys/resource.h>
#include <cstddef>
#include <cstring>
#include <span>
#include <string_view>
#include <vector>

namespace satellite::sandbox {
namespace {

// As execvp(3) when the environment names no PATH.
constexpr std::string_view search_path_default = "/usr/local/bin:/usr/bin:/bin";

std::uint32_t resource_number(Resource resource) {
  switch (resource) {
    case Resource::cpu_seconds:
      return RLIMIT_CPU;
    case Resource::open_files:
      return RLIMIT_NOFILE;
    case Resource::processes:
      return RLIMIT_NPROC;
    case Resource::file_size:
      break;
  }
  return RLIMIT_FSIZE;
}

/// Grows the block and hands out offsets into it.
class BlockText {
 public:
  BlockText() : bytes_(sizeof(InitBlock), '\0') {}

  std::uint32_t text(std::string_view value) {
    const auto offset = static_cast<std::uint32_t>(bytes_.size());
    bytes_ += value;
    bytes_ += '\0';
    return offset;
  }
  std::uint32_t bytes(std::span<const std::byte> value) {
    bytes_.resize((bytes_.size() + 7) / 8 * 8, '\0');
    const auto start = static_cast<std::uint32_t>(bytes_.size());
    bytes_.append(reinterpret_cast<const char*>(value.data()), value.size());
    return start;
  }
  std::uint32_t array(const std::vector<std::uint64_t>& offsets) {
    bytes_.resize((bytes_.size() + 7) / 8 * 8, '\0');
    const auto start = static_cast<std::uint32_t>(bytes_.size());
    for (const auto offset : offsets) number(offset);
    number(0);
    return start;
  }
  std::string finish(InitBlock head) {
    head.size = bytes_.size();
    std::memcpy(bytes_.data(), &head, sizeof(head));
    return std::move(bytes_);
  }

 private:
  void number(std::uint64_t value) {
    char raw[sizeof(value)];
    std::memcpy(raw, &value, sizeof(value));
    bytes_.append(raw, sizeof(value));
  }
  std::string bytes_;
};

void add_limits(const LaunchOrder& order, const BlockFacts& facts, InitBlock& head) {
  bool names_open_files = facts.script_open_files == 0;
  for (const auto& setting : order.resource_settings) {
    if (head.limit_count == init_limits_max - 2) break;
    names_open_files = names_open_files || setting.resource == Resource::open_files;
    head.limits[head.limit_count++] = {resource_number(setting.resource), 0, setting.value};
  }
  // The launcher raised its own, and that one is not meant for scripts.
  if (!names_open_files) {
    head.limits[head.limit_count++] = {RLIMIT_NOFILE, 1, facts.script_open_files};
  }
  // One byte, not zero: with zero the kernel still starts a core handler that core_pattern pipes
  // to, on the host and with the script's memory; one byte is its sign for "not even that".
  if (is_confined(order)) head.limits[head.limit_count++] = {RLIMIT_CORE, 0, 1};
}

std::uint32_t text_or_nothing(const char* value, BlockText& text) {
  return value == nullptr ? 0 : text.text(value);
}

void add_native_setup(const bare::NativeSetup& setup, BlockText& text, NativeBlock& native) {
  const auto flag = [](bool value) { return value ? 1U : 0U; };
  native.is_wanted = 1;
  native.confined = flag(setup.confined);
  native.own_user = flag(setup.own_user);
  native.uid_map = text_or_nothing(setup.uid_map, text);
  native.gid_map = text_or_nothing(setup.gid_map, text);
  native.disk_root = text_or_nothing(setup.disk_root, text);
  native.raises_loopback = flag(setup.raises_loopback);
  native.change_identity = flag(setup.change_identity);
  native.in_template = flag(setup.in_template);
  native.makes_carriers = flag(setup.makes_carriers);
  native.shows_processes = flag(setup.shows_processes);
  // Of a copy of a template the steps of its root are done, and keep their numbers.
  const int first = setup.in_template ? setup.root_step_count : 0;
  std::vector<bare::PreparedStep> steps(setup.steps, setup.steps + setup.step_count);
  const auto offset_of = [&text](std::uint64_t address) -> std::uint64_t {
    return address == 0 ? 0 : text.text(reinterpret_cast<const char*>(address));
  };
  for (int i = 0; i < setup.step_count; ++i) {
    auto& step = steps[static_cast<std::size_t>(i)];
    step.target = i < first ? 0 : offset_of(step.target);
    step.source = i < first ? 0 : offset_of(step.source);
  }
  native.step_count = static_cast<std::uint32_t>(setup.step_count);
  native.root_step_count = static_cast<std::uint32_t>(setup.root_step_count);
  native.steps = text.bytes(std::as_bytes(std::span(steps)));
}

void add_native(const BlockFacts& facts, BlockText& text, InitBlock& head) {
  head.sheds_capabilities = 1;
  if (facts.native != nullptr) add_native_setup(*facts.native, text, head.native);
  if (!facts.launcher_is_root) {
    head.nested_user_namespace = 1;
    const auto same = [](std::uint32_t id) {
      return std::to_string(id) + " " + std::to_string(id) + " 1";
    };
    head.uid_map = text.text(same(facts.own.uid));
    head.gid_map = text.text(same(facts.own.gid));
  }
}

/// For every engine with namespaces, since it asks for none of their privileges.
void add_landlock(const LaunchOrder& order, const BlockFacts& facts, BlockText& text,
                  InitBlock& head) {
  head.landlock_abi = facts.landlock_abi;
  head.landlock_path_count = static_cast<std::uint32_t>(order.writable_paths.size());
  for (const auto& path : order.writable_paths) {
    const auto offset = text.text(path);
    if (head.landlock_paths == 0) head.landlock_paths = offset;
  }
  head.landlock_readable_count = static_cast<std::uint32_t>(order.readable_paths.size());
  for (const auto& path : order.readable_paths) {
    const auto offset = text.text((path.executable ? "x" : "r") + path.path);
    if (head.landlock_readable == 0) head.landlock_readable = offset;
  }
}

/// By what is mounted, whatever the order says of it elsewhere.
void add_disks(const LaunchOrder& order, BlockText& text, InitBlock& head) {
  for (const auto& step : order.native->steps) {
    if (step.kind != FileStepKind::disk) continue;
    const auto offset = text.text("/" + step.target);
    if (head.disks == 0) head.disks = offset;
    ++head.disk_count;
  }
}

void add_task(const LaunchOrder& order, BlockText& text, InitBlock& head) {
  std::vector<std::uint64_t> arguments, environment;
  for (const auto& word : order.command) arguments.push_back(text.text(word));
  std::string_view search_path = search_path_default;
  for (const auto& [name, value] : order.environment) {
    environment.push_back(text.text(name + "=" + value));
    if (name == "PATH") search_path = value;
  }
  head.search_path = text.text(search_path);
  if (order.working_directory) {
    head.working_directory = text.text(*order.working_directory);
  } else if (order.engine == Engine::none && !order.scratch_directory.empty()) {
    head.working_directory = text.text(order.scratch_directory);
  }
  head.arguments = text.array(arguments);
  head.environment = text.array(environment);
}

}  // namespace

bool is_confined(const LaunchOrder& order) {
  return order.engine != Engine::none || order.identity || !order.resource_settings.empty();
}

std::string build_init_block(const LaunchOrder& order, const BlockFacts& facts) {
  InitBlock head;
  BlockText text;
  const bool wrapped = order.engine != Engine::none;
  add_task(order, text, head);
  const bool sees_processes = order.native && order.native->shows_processes;
  head.own_pid_namespace = wrapped && !sees_processes ? 1 : 0;
  head.sees_processes = sees_processes ? 1 : 0;
  head.change_identity = order.identity && !wrapped ? 1 : 0;
  if (order.identity) {
    head.uid = order.identity->uid;
    head.gid = order.identity->gid;
  }
  head.dumpable_at_barrier = facts.launcher_is_root ? 0 : 1;
  head.confined = is_confined(order) ? 1 : 0;
  head.signals_are_default = order.wrapper.empty() ? 1 : 0;
  head.proc_is_read_only = order.engine == Engine::nsjail || sees_processes ? 1 : 0;
  head.waits_for_task = facts.waits_for_task ? 1 : 0;
  head.stays_until_released = order.native || order.state_bytes > 0 ? 1 : 0;
  add_limits(order, facts, head);
  if (wrapped) {
    head.seccomp_length = static_cast<std::uint32_t>(facts.filter.size());
    head.seccomp_program = text.bytes(std::as_bytes(facts.filter));
    head.init_seccomp_length = static_cast<std::uint32_t>(facts.init_filter.size());
    head.init_seccomp_program = text.bytes(std::as_bytes(facts.init_filter));
    add_landlock(order, facts, text, head);
  }
  if (order.native) add_native(facts, text, head);
  head.native.init_uid = order.init_uid;
  if (order.native) add_disks(order, text, head);
  head.fault = order.fault;
  return text.finish(head);
}

std::string build_task_block(const LaunchOrder& order) {
  InitBlock head;
  BlockText text;
  add_task(order, text, head);
  head.sheds_capabilities = order.native ? 1 : 0;  // the directory must lie below the run's root
  head.fault = order.fault;
  return text.finish(head);
}

}  // namespace satellite::sandbox
