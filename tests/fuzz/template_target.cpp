#include "agent/checks/template/template_engine.hpp"
#include "agent/checks/template/template_filters.hpp"
#include "protocol/vocabulary/utf8.hpp"
#include "tests/fuzz/promises.hpp"
#include "tests/fuzz/targets.hpp"

namespace satellite::fuzz {
namespace {

using namespace satellite::agent;

const ScriptValue& known_scope() {
  static const ScriptValue scope = *parse_script_value(
      R"({"environment":{"n":3,"t":true,"nul":null,"list":["a","b"],"obj":{"k":"v"},"e":[],)"
      R"("s":"Hello World","date":"2024-05-06T07:08:09.123Z","wide":"a\ud83d\ude00ß"},)"
      R"("check":{"id":"c-1","name":"Queue depth"},"system":{"metadata":{"tier":1}}})");
  return scope;
}

Broken check_value(const ScriptValue& value) {
  const std::string text = value.json();
  const auto again = parse_script_value(text);
  if (!again) return "a value written again is refused: " + again.error().message;
  if (again->json() != text) return "a value written again is another one: " + text;
  return std::nullopt;
}

}  // namespace

Broken check_template_target(std::string_view input) {
  constexpr ScriptDate now{1'714'979'409'123};
  const auto [text, scope_json] = divided(input);
  ScriptValue scope = known_scope();
  if (!scope_json.empty()) {
    const auto parsed = parse_script_value(scope_json);
    if (!parsed) return unless_fit_for_log(parsed.error());
    if (auto broken = check_value(*parsed)) return broken;
    scope = *parsed;
  }
  // Templates come out of JSON, so that nothing else than UTF-8 gets here.
  if (!is_valid_utf8(text)) return std::nullopt;
  const auto rendered = render_template(text, scope, now);
  // The core knows an unknown filter by its name, whatever its length.
  if (!rendered) return unless_fit_for_log(rendered.error(), 1024 + text.size());
  if (text.find("{{") == std::string_view::npos && *rendered != text) {
    return "a text without a template was changed";
  }
  if (rendered->size() > template_text_size_max.value + text.size()) return "a text without bounds";
  if (!is_valid_utf8(*rendered)) return "rendered text that is not UTF-8";
  return std::nullopt;
}

}  // namespace satellite::fuzz
