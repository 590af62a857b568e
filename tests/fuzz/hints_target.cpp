#include "sandbox/hints/first_line.hpp"
#include "sandbox/hints/hints.hpp"
#include "tests/fuzz/promises.hpp"
#include "tests/fuzz/targets.hpp"

#include <algorithm>

namespace satellite::fuzz {
namespace {

constexpr std::size_t hint_size_max = 320;

bool is_one_plain_line(const std::string& hint) {
  return !hint.empty() && hint.size() <= hint_size_max &&
         std::all_of(hint.begin(), hint.end(), [](char c) { return c >= ' ' && c <= '~'; });
}

}  // namespace

/// The first byte chooses between script and module; what is behind a NUL is output.
Broken check_hints_target(std::string_view input) {
  if (input.empty()) return std::nullopt;
  sandbox::HintInputs inputs;
  inputs.is_module = input.front() == 'm';
  input.remove_prefix(1);
  const auto end = std::min(input.find('\0'), input.size());
  inputs.script = input.substr(0, end);
  inputs.output = input.substr(end);
  inputs.shell = "dash";
  inputs.host.has_own_files = true;
  const auto hints = sandbox::hints_for(inputs);
  if (hints.size() > sandbox::hints_max) return "too many hints";
  for (const auto& hint : hints) {
    if (!is_one_plain_line(hint)) return "a hint that is no plain line";
  }
  const auto wanted = sandbox::interpreter_of(inputs.script);
  for (const auto& word : wanted.command) {
    if (word.empty() || inputs.script.find(word) == std::string_view::npos) return "a made-up word";
    if (word.find('\n') != std::string::npos) return "a word beyond the first line";
  }
  return std::nullopt;
}

}  // namespace satellite::fuzz
