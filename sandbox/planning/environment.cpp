#include "sandbox/planning/environment.hpp"

#include <algorithm>
#include <array>

namespace satellite::sandbox {
namespace {

constexpr std::array<std::string_view, 8> upstream_names{
    "LD_PRELOAD",        "LD_LIBRARY_PATH", "LD_AUDIT",    "DYLD_INSERT_LIBRARIES",
    "DYLD_LIBRARY_PATH", "NODE_OPTIONS",    "BUN_INSTALL", "PATH"};
constexpr std::array<std::string_view, 1> upstream_prefixes{"BUN_CONFIG_"};

// What decides which code runs before or instead of the script: loaders, C library, shells and the
// interpreters that a check is likely to start.
constexpr std::array<std::string_view, 36> additional_names{"BASH_ENV",
                                                            "ENV",
                                                            "SHELLOPTS",
                                                            "BASHOPTS",
                                                            "PS4",
                                                            "PROMPT_COMMAND",
                                                            "ZDOTDIR",
                                                            "GLIBC_TUNABLES",
                                                            "GCONV_PATH",
                                                            "GETCONF_DIR",
                                                            "LOCPATH",
                                                            "NLSPATH",
                                                            "MALLOC_TRACE",
                                                            "HOSTALIASES",
                                                            "RESOLV_HOST_CONF",
                                                            "BUN_OPTIONS",
                                                            "NODE_PATH",
                                                            "NODE_REPL_EXTERNAL_MODULE",
                                                            "PYTHONPATH",
                                                            "PYTHONHOME",
                                                            "PYTHONSTARTUP",
                                                            "PYTHONUSERBASE",
                                                            "PYTHONINSPECT",
                                                            "PERL5OPT",
                                                            "PERL5LIB",
                                                            "PERLLIB",
                                                            "PERL5DB",
                                                            "RUBYOPT",
                                                            "RUBYLIB",
                                                            "JAVA_TOOL_OPTIONS",
                                                            "_JAVA_OPTIONS",
                                                            "JDK_JAVA_OPTIONS",
                                                            "PHPRC",
                                                            "PHP_INI_SCAN_DIR",
                                                            "LUA_INIT",
                                                            "AWKPATH"};
constexpr std::array<std::string_view, 4> additional_prefixes{"LD_", "DYLD_", "BASH_FUNC_",
                                                              "LUA_INIT_"};

template <typename Names>
bool holds(const Names& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

template <typename Prefixes>
bool starts_with_any(const Prefixes& prefixes, std::string_view name) {
  return std::any_of(prefixes.begin(), prefixes.end(),
                     [name](std::string_view prefix) { return name.starts_with(prefix); });
}

bool can_be_held(std::string_view name, std::string_view value) {
  constexpr std::string_view forbidden("=\0", 2);
  return !name.empty() && name.find_first_of(forbidden) == std::string_view::npos &&
         value.find('\0') == std::string_view::npos;
}

bool is_refused(std::string_view name, EnvironmentGuard guard) {
  switch (guard) {
    case EnvironmentGuard::off:
      return false;
    case EnvironmentGuard::on:
      return is_refused_upstream(name) || is_refused_in_addition(name);
  }
  return true;
}

}  // namespace

ScriptEnvironment build_environment(const std::map<std::string, std::string>& base,
                                    const NamedValues& overrides, EnvironmentGuard guard) {
  ScriptEnvironment environment;
  environment.variables = base;
  for (const auto& [name, value] : overrides) {
    if (!can_be_held(name, value) || is_refused(name, guard)) {
      environment.dropped.push_back(name);
    } else {
      environment.variables[name] = value;
    }
  }
  return environment;
}

std::map<std::string, std::string> safe_base(const std::map<std::string, std::string>& ours) {
  std::map<std::string, std::string> base;
  for (const std::string_view name : safe_base_names()) {
    if (const auto found = ours.find(std::string(name)); found != ours.end()) base.insert(*found);
  }
  return base;
}

const std::vector<std::string_view>& safe_base_names() {
  static const std::vector<std::string_view> names{
      "PATH", "HOME", "USER", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR", "HOSTNAME", "SHELL"};
  return names;
}

bool is_refused_upstream(std::string_view name) {
  return holds(upstream_names, name) || starts_with_any(upstream_prefixes, name);
}

bool is_refused_in_addition(std::string_view name) {
  return holds(additional_names, name) || starts_with_any(additional_prefixes, name);
}

}  // namespace satellite::sandbox
