#include "sandbox/capture/masker.hpp"
#include "tests/fuzz/promises.hpp"
#include "tests/fuzz/targets.hpp"

#include <array>
#include <memory>

namespace satellite::fuzz {
namespace {

using namespace satellite::sandbox;

struct Secrets {
  explicit Secrets(std::vector<std::string> values_)
      : values(std::move(values_)), patterns(views()) {}
  std::vector<std::string> values;
  SecretPatterns patterns;

 private:
  std::vector<std::string_view> views() const { return {values.begin(), values.end()}; }
};

/// Ready for searching once, since that costs more than a search: overlapping ones, one within
/// another, one of repeated characters, and one that every encoding changes.
const Secrets& known_secrets(std::size_t choice) {
  static const std::array<std::unique_ptr<Secrets>, 4> known{
      std::make_unique<Secrets>(std::vector<std::string>{"abcd", "cdef-xyz"}),
      std::make_unique<Secrets>(std::vector<std::string>{"s3cr3t", "s3cr3t-value"}),
      std::make_unique<Secrets>(std::vector<std::string>{"aaaaaaab"}),
      std::make_unique<Secrets>(std::vector<std::string>{"p/\xc3\xa4\"s\\w <rd>&1"})};
  return *known[choice % known.size()];
}

struct Cut {
  std::string output;
  std::size_t held_back = 0;  ///< what the end of the output still gave
};

/// Reads of changing sizes, all of them from `step`.
Cut masked_in_pieces(const SecretPatterns& patterns, std::string_view text, std::size_t step) {
  Masker masker(patterns);
  Cut cut;
  std::size_t size = step;
  while (!text.empty()) {
    // A buffer of its own: what is handed on must not depend on what came before it in memory.
    const std::string read(text.substr(0, size));
    cut.output += masker.feed(read);
    text.remove_prefix(read.size());
    size = size * 7 % 61 + 1;
  }
  const std::string_view rest = masker.finish();
  cut.held_back = rest.size();
  cut.output += rest;
  return cut;
}

Broken check_masked(const Secrets& secrets, std::string_view text, std::size_t step) {
  const Cut whole = masked_in_pieces(secrets.patterns, text, text.size() + 1);
  const Cut pieces = masked_in_pieces(secrets.patterns, text, step);
  if (whole.output != pieces.output) return "where reads cut the output changes it";
  // Of a match that begins in the held tail the mask_text may be longer than what was held.
  const std::size_t held_max = SecretPatterns::match_size_max + mask_text.size();
  if (whole.held_back > held_max || pieces.held_back > held_max) return "too much is held back";
  for (const std::string& secret : secrets.values) {
    // A mask may complete a secret that has the mask's own characters.
    if (secret.size() < 4 || secret.find('*') != std::string::npos) continue;
    if (whole.output.find(secret) != std::string::npos) return "a secret came through";
  }
  return std::nullopt;
}

}  // namespace

Broken check_masker_target(std::string_view input) {
  if (input.size() < 2) return std::nullopt;
  const auto choice = static_cast<unsigned char>(input[0]);
  const std::size_t step = static_cast<unsigned char>(input[1]) % 64 + 1;
  const auto [secret, text] = divided(input.substr(2));
  // Most inputs search for what is known: the rest pays for new patterns.
  if (choice < 0xf0) return check_masked(known_secrets(choice), input.substr(2), step);
  const Secrets own({std::string(secret)});
  return check_masked(own, text, step);
}

}  // namespace satellite::fuzz
