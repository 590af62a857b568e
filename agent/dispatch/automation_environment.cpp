#include "agent/dispatch/automation_environment.hpp"

#include "agent/javascript/javascript_text.hpp"
#include "protocol/vocabulary/limits.hpp"

#include <nlohmann/json.hpp>

namespace satellite::agent {
namespace {

// Ordered: of two keys that become one name the one written last wins, as in the source.
using Json = nlohmann::ordered_json;
using Environment = std::map<std::string, std::string>;

std::string variable_name(const std::string& path) {
  std::string name = "CHECKSTACK";
  bool gap = true;
  for (const char c : path) {
    const char upper = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    if ((upper >= 'A' && upper <= 'Z') || (upper >= '0' && upper <= '9')) {
      if (gap) name += '_';
      gap = false;
      name += upper;
    } else {
      gap = true;
    }
  }
  return name;
}

std::string scalar_text(const Json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_boolean()) return value.get<bool>() ? "true" : "false";
  if (value.is_number_float()) return javascript_number_text(value.get<double>());
  if (value.is_number()) return value.dump();
  return {};
}

std::string element_text(const Json& value) {
  if (value.is_object() || value.is_array()) {
    return value.dump(-1, ' ', false, Json::error_handler_t::replace);
  }
  return scalar_text(value);
}

class Flattener {
 public:
  void add(const std::string& path, const Json& value) {
    if (value.is_null() || full_) return;
    if (value.is_object()) {
      for (const auto& [key, member] : value.items()) add(path + "." + key, member);
    } else if (value.is_array()) {
      add_array(path, value);
    } else {
      set(path, scalar_text(value));
    }
  }

  bool full() const { return full_; }
  Environment take() { return std::move(environment_); }

 private:
  void add_array(const std::string& path, const Json& value) {
    std::string joined;
    for (std::size_t i = 0; i < value.size(); ++i) {
      if (i > 0) joined += '\n';
      joined += element_text(value[i]);
    }
    set(path, std::move(joined));
    for (std::size_t i = 0; i < value.size(); ++i) {
      add(path + "[" + std::to_string(i) + "]", value[i]);
    }
  }

  void set(const std::string& path, std::string text) {
    // An array stands in its own variable and in its elements', so nesting multiplies the bytes.
    bytes_ += path.size() + text.size();
    if (environment_.size() >= limits::environment_entries_max ||
        bytes_ > limits::environment_size_max.value) {
      full_ = true;
      return;
    }
    environment_.insert_or_assign(variable_name(path), std::move(text));
  }

  Environment environment_;
  std::size_t bytes_ = 0;
  bool full_ = false;
};

const Json& member(const Json& object, const char* key) {
  static const Json none;
  const auto found = object.is_object() ? object.find(key) : object.end();
  return found == object.end() ? none : *found;
}

}  // namespace

Result<Environment> automation_environment(const std::string& context_json) {
  const Json context = Json::parse(context_json, nullptr, false);
  if (context.is_discarded()) {
    return Error{ErrorCode::invalid_input, "context: not valid JSON"};
  }
  Flattener flattener;
  const Json& trigger = member(context, "trigger");
  flattener.add("trigger.event", member(trigger, "event"));
  flattener.add("trigger.payload", member(trigger, "payload"));
  for (const auto& [type, artifact] : member(context, "artifacts").items()) {
    flattener.add("artifact." + type, artifact);
  }
  // The scope of a shell calls them `vars`, the context of a module `var`.
  const Json& variables = member(context, "vars");
  const Json& chosen = variables.is_null() ? member(context, "var") : variables;
  if (chosen.is_object()) {
    for (const auto& [name, value] : chosen.items()) flattener.add("var." + name, value);
  }
  flattener.add("repeat.index", member(member(context, "repeat"), "index"));
  flattener.add("repeat.item", member(member(context, "repeat"), "item"));
  if (flattener.full()) {
    return Error{ErrorCode::limit_exceeded,
                 "context: flattened to more than " +
                     std::to_string(limits::environment_entries_max) + " variables or " +
                     std::to_string(limits::environment_size_max.value) + " bytes"};
  }
  return flattener.take();
}

}  // namespace satellite::agent
