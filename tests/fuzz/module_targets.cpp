#include "sandbox/module/module_answer.hpp"
#include "sandbox/module/user_script.hpp"
#include "tests/fuzz/promises.hpp"
#include "tests/fuzz/targets.hpp"

#include <nlohmann/json.hpp>

namespace satellite::fuzz {
namespace {

using sandbox::AnswerLine;
using sandbox::ModuleAnswer;

std::optional<ModuleAnswer> answer_in_pieces(std::string_view bytes, std::size_t size) {
  AnswerLine line;
  while (!bytes.empty()) {
    const auto piece = bytes.substr(0, size);
    line.feed(piece);
    bytes.remove_prefix(piece.size());
  }
  line.finish();
  return line.take();
}

bool is_same(const std::optional<ModuleAnswer>& a, const std::optional<ModuleAnswer>& b) {
  if (a.has_value() != b.has_value()) return false;
  return !a || (a->ok == b->ok && a->result_json == b->result_json && a->error == b->error &&
                a->stack == b->stack);
}

}  // namespace

Broken check_module_answer_target(std::string_view input) {
  const auto answer = answer_in_pieces(input, input.size() + 1);
  for (const std::size_t size : {std::size_t{1}, std::size_t{3}}) {
    if (!is_same(answer, answer_in_pieces(input, size))) return "it depends on how it was cut";
  }
  if (!answer) return std::nullopt;
  if (!input.starts_with('R')) return "an answer that does not begin with R";
  if (answer->ok && !nlohmann::json::accept(answer->result_json)) return "a result that is no JSON";
  if (answer->result_json.size() > sandbox::module_answer_size_max.value)
    return "a result too long";
  if (answer->error.size() > sandbox::module_error_size_max.value) return "an error too long";
  return std::nullopt;
}

Broken check_user_script_target(std::string_view input) {
  const std::string module = sandbox::module_from(input);
  if (module.find(input) == std::string::npos) return "the script is not in its module";
  if (module != input && module.find("async") == std::string::npos) return "neither form";
  constexpr std::string_view name = "@s/h", url = "U";
  const std::string redirected = sandbox::with_import_from(input, name, url);
  if (sandbox::with_import_from(redirected, name, url) != redirected) return "not done at once";
  const bool has_name = input.find(name) != std::string_view::npos;
  if (!has_name && redirected != input) return "changed without the name in it";
  if (redirected.size() > input.size()) return "longer than it was";
  return std::nullopt;
}

}  // namespace satellite::fuzz
