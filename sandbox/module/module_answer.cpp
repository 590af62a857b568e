#include "sandbox/module/module_answer.hpp"

#include "protocol/vocabulary/bounded_json.hpp"
#include "protocol/vocabulary/lone_surrogates.hpp"
#include "protocol/vocabulary/utf8.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

namespace satellite::sandbox {
namespace {

using Json = nlohmann::ordered_json;

// As deep as a frame may be, with room for the levels around a result in it.
constexpr std::size_t result_depth_max = 48;
constexpr std::size_t result_values_max = 200'000;
constexpr JsonBounds answer_bounds{module_answer_size_max, result_depth_max + 1, result_values_max};

ModuleAnswer too_large() {
  ModuleAnswer answer;
  answer.error = "Script result is too large";
  return answer;
}

std::string cut(const std::string& text) {
  return std::string(cut_on_code_point(text, module_error_size_max.value));
}

std::optional<ModuleAnswer> answer_from(std::string_view line) {
  auto repaired = replace_lone_surrogates(line);
  const std::string_view text = repaired ? std::string_view(*repaired) : line;
  const auto bounded = check_bounded_json(text, answer_bounds);
  if (!bounded && bounded.error().code == ErrorCode::limit_exceeded) return too_large();
  if (!bounded) return std::nullopt;
  const Json json = Json::parse(text, nullptr, false);
  if (!json.is_object()) return std::nullopt;
  const auto ok = json.find("ok");
  if (ok == json.end() || !ok->is_boolean()) return std::nullopt;
  ModuleAnswer answer;
  answer.ok = ok->get<bool>();
  if (answer.ok) {
    const auto result = json.find("result");
    answer.result_json = result == json.end() ? "null" : result->dump();
    // Numbers may be written longer than they came.
    if (answer.result_json.size() > module_answer_size_max.value) return too_large();
    return answer;
  }
  const auto error = json.find("error");
  if (error == json.end() || !error->is_string()) return std::nullopt;
  answer.error = cut(error->get_ref<const std::string&>());
  const auto stack = json.find("stack");
  if (stack != json.end() && stack->is_string()) {
    answer.stack = cut(stack->get_ref<const std::string&>());
  }
  return answer;
}

}  // namespace

void AnswerLine::feed(std::string_view bytes) {
  if (complete_ || bytes.empty()) return;
  if (!std::exchange(begun_, true)) {
    loaded_ = bytes.front() == 'R';
    complete_ = !loaded_;
    bytes.remove_prefix(1);
    if (complete_) return;
  }
  const std::size_t end = bytes.find('\n');
  const std::size_t room = module_answer_size_max.value - line_.size();
  line_ += bytes.substr(0, std::min(end, room + 1));
  if (line_.size() > module_answer_size_max.value) {
    answer_ = too_large();
    complete_ = true;
    line_.clear();
  } else if (end != bytes.npos) {
    read_line();
  }
}

void AnswerLine::read_line() {
  complete_ = true;
  answer_ = answer_from(line_);
  line_.clear();
  line_.shrink_to_fit();
}

void AnswerLine::finish() {
  complete_ = true;
  line_.clear();
}

std::optional<ModuleAnswer> AnswerLine::take() {
  return std::exchange(answer_, std::nullopt);
}

}  // namespace satellite::sandbox
