#include "tests/devcore/console.hpp"

#include <fstream>
#include <iostream>
#include <iterator>
#include <map>
#include <nlohmann/json.hpp>

namespace satellite::devcore {

const char* const console_help =
    "  run ID {json}      dispatch; the object has the other fields of run_script\n"
    "  cancel ID [why]    query ID           shutdown [why]\n"
    "  policy FILE        relay this policy now and later\n"
    "  policy {json}      merge it into the kept default policy, store and relay the whole\n"
    "  assignments FILE   the same for assignments\n"
    "  push TEXT          send one raw frame\n"
    "  ack on|off         acknowledge scripts and results\n"
    "  next NAME          the next connection meets this misbehaviour\n"
    "  close reset stall chatter garbage deep-json oversize-frame endless-fragments\n"
    "  forget-route\n"
    "  quit\n";

namespace {

struct Words {
  std::string first, rest;
};

Words split(const std::string& line) {
  const std::size_t space = line.find(' ');
  if (space == std::string::npos) return {line, {}};
  return {line.substr(0, space), line.substr(space + 1)};
}

std::string content_or_complaint(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) std::cerr << "cannot read " << path << '\n';
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

void dispatch_json(DevCore& core, const std::string& text) {
  const Words words = split(text);
  nlohmann::json frame = nlohmann::json::parse(words.rest, nullptr, false);
  if (!frame.is_object()) {
    std::cerr << "run ID {json}: the object is no JSON\n";
    return;
  }
  frame["type"] = "run_script";
  frame["runId"] = words.first;
  core.push_text(frame.dump());
}

/// A file is relayed as it is, valid or not; an object is a change of what this core keeps.
void change_policy(DevCore& core, const std::string& text) {
  if (!text.starts_with('{')) return core.push_policy(content_or_complaint(text));
  const auto stored = core.change_policy(text);
  if (stored) {
    std::cout << "policy " << *stored << std::endl;
  } else {
    std::cerr << "policy not changed: " << stored.error().message << '\n';
  }
}

void plan_next(DevCore& core, const std::string& name) {
  const auto misbehaviour = misbehaviour_named(name);
  if (!misbehaviour) {
    std::cerr << "unknown misbehaviour " << name << '\n';
    return;
  }
  core.plan({*misbehaviour, 503, {{"Retry-After", "5"}}});
}

}  // namespace

bool obey(DevCore& core, const std::string& line) {
  using Deed = void (*)(DevCore&, const std::string&);
  static const std::map<std::string, Deed> deeds{
      {"run", dispatch_json},
      {"cancel", [](DevCore& to,
                    const std::string& rest) { to.cancel(split(rest).first, split(rest).rest); }},
      {"query", [](DevCore& to, const std::string& rest) { to.query(rest); }},
      {"shutdown", [](DevCore& to, const std::string& rest) { to.shut_down_satellite(rest); }},
      {"policy", change_policy},
      {"assignments",
       [](DevCore& to, const std::string& rest) {
         to.push_assignments(content_or_complaint(rest));
       }},
      {"push", [](DevCore& to, const std::string& rest) { to.push_text(rest); }},
      {"ack", [](DevCore& to, const std::string& rest) { to.set_acknowledge(rest != "off"); }},
      {"next", plan_next},
  };
  const Words words = split(line);
  if (words.first == "quit") return false;
  if (words.first.empty()) return true;
  const auto deed = deeds.find(words.first);
  if (deed != deeds.end()) {
    deed->second(core, words.rest);
    return true;
  }
  const auto misbehaviour = misbehaviour_named(words.first);
  if (misbehaviour) {
    core.misbehave(*misbehaviour);
  } else {
    std::cerr << "not understood: " << words.first << "; what can be typed:\n" << console_help;
  }
  return true;
}

}  // namespace satellite::devcore
