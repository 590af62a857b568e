#include "sandbox/planning/resource_plan.hpp"

namespace satellite::sandbox {

bool asks_for_limits(const ResourceLimits& limits) {
  return limits.cpu_seconds || limits.memory_bytes || limits.max_open_files ||
         limits.max_processes || limits.max_file_size_bytes;
}

std::vector<ResourceSetting> resource_settings(const ResourceLimits& limits, ProcessCount count) {
  std::vector<ResourceSetting> settings;
  const auto add = [&settings](Resource resource, const std::optional<std::uint64_t>& value) {
    if (value) settings.push_back(ResourceSetting{resource, *value});
  };
  add(Resource::cpu_seconds, limits.cpu_seconds);
  add(Resource::open_files, limits.max_open_files);
  if (count == ProcessCount::isolated) add(Resource::processes, limits.max_processes);
  add(Resource::file_size, limits.max_file_size_bytes);
  return settings;
}

std::vector<std::string> prlimit_prelude(const std::vector<ResourceSetting>& settings) {
  if (settings.empty()) return {};
  std::vector<std::string> argv{"prlimit"};
  for (const auto& setting : settings) {
    argv.push_back("--" + std::string(name_of(setting.resource)) + "=" +
                   std::to_string(setting.value));
  }
  argv.emplace_back("--");
  return argv;
}

std::string_view name_of(Resource resource) {
  switch (resource) {
    case Resource::cpu_seconds:
      return "cpu";
    case Resource::open_files:
      return "nofile";
    case Resource::processes:
      return "nproc";
    case Resource::file_size:
      return "fsize";
  }
  return "cpu";
}

}  // namespace satellite::sandbox
