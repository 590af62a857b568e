#include "agent/commands/redaction.hpp"
#include "tests/fuzz/promises.hpp"
#include "tests/fuzz/targets.hpp"

namespace satellite::fuzz {
namespace {

constexpr std::string_view known_secret = "s3cr3t-Value/1";
constexpr std::string_view foreign_token = " csat_Foreign0123456789 ";

const agent::Redaction& redaction() {
  static const agent::Redaction one = [] {
    std::vector<Secret> known;
    known.emplace_back(std::string(known_secret));
    return agent::Redaction(std::move(known));
  }();
  return one;
}

}  // namespace

Broken check_redaction_target(std::string_view input) {
  if (input.empty()) return std::nullopt;
  const std::string_view text = input.substr(1);
  const std::size_t place = static_cast<unsigned char>(input.front()) % (text.size() + 1);
  for (const std::string_view secret : {known_secret, foreign_token}) {
    std::string whole(text);
    whole.insert(place, secret);
    const std::string redacted = redaction().applied_to(whole);
    if (redacted.find(secret) != std::string::npos) return "a secret came through";
    // Each mask hides a byte at least.
    if (redacted.size() > sandbox::mask_text.size() * whole.size()) return "a text without bounds";
  }
  return std::nullopt;
}

}  // namespace satellite::fuzz
