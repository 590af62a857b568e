#include "agent/checks/config/secret_reference.hpp"
#include "tests/fuzz/promises.hpp"
#include "tests/fuzz/targets.hpp"

namespace satellite::fuzz {
namespace {

using agent::secrets_inside;

bool has(const std::vector<Secret>& secrets, std::string_view value) {
  return std::any_of(secrets.begin(), secrets.end(),
                     [value](const Secret& secret) { return secret.reveal() == value; });
}

/// What holds whether or not the value was made of the text.
Broken check_any(std::string_view text, std::string_view value) {
  const auto secrets = secrets_inside(text, value);
  constexpr std::size_t secrets_max = std::size_t{16} * 16;
  if (secrets.size() > secrets_max) return "too many parts";
  for (const Secret& secret : secrets) {
    if (secret.empty()) return "a part that is empty";
    if (value.find(secret.reveal()) == std::string_view::npos) return "a part of something else";
  }
  if (!secrets.empty() && !agent::holds_secret_reference(text)) return "parts without a reference";
  return std::nullopt;
}

}  // namespace

Broken check_secret_reference_target(std::string_view input) {
  const auto [separator, behind] = divided(input);
  const auto [first, behind_first] = divided(behind);
  const auto [second, value] = divided(behind_first);
  if (auto broken = check_any(separator, value)) return broken;
  const std::string reference = "${{ secrets.x }}", middle(separator);
  const std::string text = "<" + reference + middle + reference + ">";
  if (auto broken = check_any(text, value)) return broken;
  // Of a literal that holds references itself the value says nothing about what they stood for.
  if (middle.empty() ||
      (reference + middle + reference).find("${{", 1) != reference.size() + middle.size()) {
    return std::nullopt;
  }
  const std::string made = "<" + std::string(first) + middle + std::string(second) + ">";
  if (auto broken = check_any(text, made)) return broken;
  const auto secrets = secrets_inside(text, made);
  const std::string inner = made.substr(1, made.size() - 2);
  const bool is_exact = inner.find(middle) == inner.rfind(middle);
  if (is_exact && !first.empty() && !has(secrets, first)) return "the first secret is not known";
  if (is_exact && !second.empty() && !has(secrets, second)) return "the second secret is not known";
  return std::nullopt;
}

}  // namespace satellite::fuzz
