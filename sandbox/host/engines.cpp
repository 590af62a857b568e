#include "sandbox/host/engines.hpp"

#include "protocol/vocabulary/printable.hpp"
#include "sandbox/host/host_facts.hpp"

#include <algorithm>

namespace satellite::sandbox {
namespace {

bool holds(const std::vector<Engine>& engines, Engine engine) {
  return std::find(engines.begin(), engines.end(), engine) != engines.end();
}

bool holds(const std::vector<Engine>& engines, Wrapper wrapper) {
  return (wrapper == Wrapper::bwrap && holds(engines, Engine::bwrap)) ||
         (wrapper == Wrapper::nsjail && holds(engines, Engine::nsjail));
}

}  // namespace

std::string_view name_of(Engine engine) {
  switch (engine) {
    case Engine::none:
      return "none";
    case Engine::bwrap:
      return "bwrap";
    case Engine::nsjail:
      return "nsjail";
    case Engine::native:
      return "native";
  }
  return "none";
}

std::vector<Engine> all_engines() {
  return {Engine::native, Engine::bwrap, Engine::nsjail};
}

Result<std::vector<Engine>> parse_engines(std::string_view text) {
  const auto engines = all_engines();
  std::vector<Engine> named;
  for (std::string_view rest = text;;) {
    std::string_view word = rest.substr(0, rest.find(','));
    const bool is_last = word.size() == rest.size();
    if (!is_last) rest.remove_prefix(word.size() + 1);
    while (word.starts_with(' ')) word.remove_prefix(1);
    while (word.ends_with(' ')) word.remove_suffix(1);
    const auto known = std::find_if(engines.begin(), engines.end(),
                                    [word](Engine engine) { return name_of(engine) == word; });
    if (known == engines.end()) {
      return Error{ErrorCode::invalid_input,
                   "'" + printable(word) +
                       "' is no engine; write one or more of native, bwrap, nsjail, with commas"};
    }
    named.push_back(*known);
    if (is_last) break;
  }
  std::vector<Engine> ordered;
  for (const Engine engine : engines) {
    if (holds(named, engine)) ordered.push_back(engine);
  }
  return ordered;
}

void restrict_engines(HostFacts& facts, const std::vector<Engine>& engines) {
  facts.native_engine = facts.native_engine && holds(engines, Engine::native);
  if (holds(engines, facts.wrapper)) return;
  const auto other =
      std::find_if(facts.working_wrappers.begin(), facts.working_wrappers.end(),
                   [&engines](const WorkingWrapper& one) { return holds(engines, one.wrapper); });
  const bool found = other != facts.working_wrappers.end();
  facts.wrapper = found ? other->wrapper : Wrapper::none;
  facts.wrapper_path = found ? other->path : std::string();
}

std::string engine_remedy(const std::vector<Engine>& allowed) {
  std::string names;
  bool allows_all = true;
  for (const Engine engine : all_engines()) {
    if (!holds(allowed, engine)) {
      allows_all = false;
      continue;
    }
    names += (names.empty() ? "" : ", ") + std::string(name_of(engine));
  }
  if (allows_all) return "install bubblewrap or nsjail";
  if (names.empty()) return "allow an engine in sandbox.engines";
  const bool is_one = names.find(',') == std::string::npos;
  return "sandbox.engines allows only " + names + ": make " + (is_one ? "it" : "one of these") +
         " work, or allow another";
}

}  // namespace satellite::sandbox
