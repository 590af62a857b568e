#pragma once

#include "sandbox/capture/secret_form.hpp"

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace satellite::sandbox {

/// Every form in which the secrets of one run may show up in its output, ready for searching.
///
/// Shape:  the forms are those of forms_of_secret(); sandbox/README.md lists them. Two characters
///         decide whether a place is looked at more closely, so that ordinary output passes at the
///         speed of one table look-up for each byte.
/// Source: spec/dispatch-extension.md "Masking".
class SecretPatterns {
 public:
  SecretPatterns() = default;
  explicit SecretPatterns(const std::vector<std::string_view>& secrets);
  ~SecretPatterns();
  SecretPatterns(const SecretPatterns&) = delete;
  SecretPatterns& operator=(const SecretPatterns&) = delete;

  bool empty() const { return forms_.empty(); }

  /// No match is longer, so that no more is ever held back: a piece of a form with line breaks,
  /// offsets and text columns of a dump wherever they may stand.
  static constexpr std::size_t match_size_max = 16U << 10U;
  static constexpr std::size_t length_max() { return match_size_max; }

  struct Match {
    std::size_t start = 0;
    std::size_t size = 0;
    bool unfinished = false;  ///< more text has to come before it can be told
  };
  /// The first place at or after `from` where a form begins or may begin; where several do, the
  /// longest.
  std::optional<Match> find(std::string_view text, std::size_t from, TextEnd end) const;

 private:
  struct Entry {
    std::uint16_t pair = 0;
    std::uint32_t form = 0;
    auto operator<=>(const Entry&) const = default;
  };
  void add_forms(std::string_view secret);
  std::size_t next_candidate(std::string_view text, std::size_t from) const;
  bool goes_on(std::string_view text, std::size_t start) const;
  Match match_at(std::string_view text, std::size_t start, TextEnd end) const;

  std::vector<SecretForm> forms_;
  std::vector<Entry> entries_;                ///< sorted
  std::vector<std::uint8_t> is_first_pair_;   ///< by pair
  std::vector<std::uint8_t> is_first_three_;  ///< by pair and third character, mixed
  std::array<bool, 256> is_first_{};          ///< by byte
};

}  // namespace satellite::sandbox
