#include "sandbox/host/host_facts.hpp"

#include <array>
#include <nlohmann/json.hpp>

namespace satellite::sandbox {
namespace {

using nlohmann::json;

struct Flag {
  const char* name;
  bool HostFacts::*member;
};

constexpr std::array flags{
    Flag{"euidIsRoot", &HostFacts::euid_is_root},
    Flag{"hasPrlimit", &HostFacts::has_prlimit},
    Flag{"rlimitNative", &HostFacts::rlimit_native},
    Flag{"userNamespaces", &HostFacts::user_namespaces},
    Flag{"userNsCreatable", &HostFacts::user_ns_creatable},
    Flag{"netNamespaces", &HostFacts::net_namespaces},
    Flag{"netEgressRootless", &HostFacts::net_egress_rootless},
    Flag{"launcherDropsPrivilege", &HostFacts::launcher_drops_privilege},
    Flag{"launcherSetsRlimits", &HostFacts::launcher_sets_rlimits},
    Flag{"nativeEngine", &HostFacts::native_engine},
    Flag{"keepsSignals", &HostFacts::keeps_signals},
    Flag{"wrapperSizesMemory", &HostFacts::wrapper_sizes_memory},
    Flag{"cgroupMemory", &HostFacts::cgroup_memory},
    Flag{"cgroupPids", &HostFacts::cgroup_pids},
    Flag{"cgroupCpu", &HostFacts::cgroup_cpu},
};

Error wrong(const std::string& name, std::string_view expected) {
  return Error{ErrorCode::invalid_input, name + ": expected " + std::string(expected)};
}

/// The member as text; absent and null leave `text` as it is.
Result<void> read_text(const json& object, const std::string& name, std::string& text) {
  const auto found = object.find(name);
  if (found == object.end() || found->is_null()) return {};
  if (!found->is_string()) return wrong(name, "a string");
  text = found->get<std::string>();
  return {};
}

Result<Wrapper> wrapper_of(const std::string& name) {
  for (const Wrapper wrapper : {Wrapper::bwrap, Wrapper::nsjail, Wrapper::firejail}) {
    if (name == name_of(wrapper)) return wrapper;
  }
  if (name.empty()) return Wrapper::none;
  return wrong("wrapper", "bwrap, nsjail, firejail or null");
}

Result<void> read_addressing(const json& object, HostFacts& facts) {
  const auto found = object.find("netEgressAddressing");
  if (found == object.end() || found->is_null()) return {};
  if (!found->is_object()) return wrong("netEgressAddressing", "an object");
  MacvlanAddressing addressing;
  for (const auto& [name, text] :
       {std::pair{"ip", &addressing.ip}, std::pair{"netmask", &addressing.netmask},
        std::pair{"gateway", &addressing.gateway}}) {
    if (auto read = read_text(*found, name, *text); !read) return read.error();
  }
  facts.net_egress_addressing = addressing;
  return {};
}

json optional_text(const std::string& text) {
  return text.empty() ? json(nullptr) : json(text);
}

}  // namespace

std::string_view name_of(Wrapper wrapper) {
  switch (wrapper) {
    case Wrapper::none:
      return "";
    case Wrapper::bwrap:
      return "bwrap";
    case Wrapper::nsjail:
      return "nsjail";
    case Wrapper::firejail:
      return "firejail";
  }
  return "";
}

json to_json(const HostFacts& facts) {
  json object{{"platform", facts.platform},
              {"wrapper", optional_text(std::string(name_of(facts.wrapper)))},
              {"netEgressIface", optional_text(facts.net_egress_iface.value_or(""))},
              {"netEgressAddressing", nullptr},
              {"wrapperPath", optional_text(facts.wrapper_path)}};
  if (const auto& addressing = facts.net_egress_addressing) {
    object["netEgressAddressing"] = {
        {"ip", addressing->ip}, {"netmask", addressing->netmask}, {"gateway", addressing->gateway}};
  }
  for (const Flag& flag : flags) object[flag.name] = facts.*flag.member;
  auto findings = json::array();
  for (const auto& finding : facts.findings) {
    findings.push_back({{"name", finding.name},
                        {"present", finding.present},
                        {"detail", finding.detail},
                        {"remedy", finding.remedy}});
  }
  object["findings"] = std::move(findings);
  return object;
}

Result<HostFacts> host_facts_from_json(const json& value) {
  if (!value.is_object()) return wrong("capabilities", "an object");
  HostFacts facts;
  for (const Flag& flag : flags) {
    const auto found = value.find(flag.name);
    if (found == value.end()) continue;
    if (!found->is_boolean()) return wrong(flag.name, "true or false");
    facts.*flag.member = found->get<bool>();
  }
  std::string wrapper_name;
  std::string uplink;
  for (const auto& [name, text] :
       {std::pair{"platform", &facts.platform}, std::pair{"wrapper", &wrapper_name},
        std::pair{"netEgressIface", &uplink}, std::pair{"wrapperPath", &facts.wrapper_path}}) {
    if (auto read = read_text(value, name, *text); !read) return read.error();
  }
  auto wrapper = wrapper_of(wrapper_name);
  if (!wrapper) return wrapper.error();
  facts.wrapper = *wrapper;
  if (!uplink.empty()) facts.net_egress_iface = uplink;
  if (auto read = read_addressing(value, facts); !read) return read.error();
  return facts;
}

}  // namespace satellite::sandbox
