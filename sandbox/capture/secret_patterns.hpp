#pragma once

#include "sandbox/capture/form_search.hpp"
#include "sandbox/capture/secret_forms.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string_view>
#include <vector>

namespace satellite::sandbox {

/// Every form in which the secrets of one run may show up in its output, ready for searching.
///
/// Shape:  the forms are those of forms_of_secret(); sandbox/README.md lists them. Two characters
///         decide whether a place is looked at more closely, so that ordinary output passes at the
///         speed of one table look-up for each byte.
/// Source: dispatch-extension "Masking".
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

  struct Match {
    std::size_t start = 0;
    std::size_t size = 0;
    bool unfinished = false;  ///< more text has to come before it can be told
    bool paused = false;      ///< unfinished, but only because the work is used up
    bool too_much = false;    ///< it cannot be told in bounded time what stands from here on
  };
  /// What looking closer has cost, and may cost. One place alone may pass it by `place_work_max`.
  struct Work {
    std::size_t done = 0;
    std::size_t max = std::numeric_limits<std::size_t>::max();
  };
  /// The first place at or after `from` where a form begins or may begin; where several do, the
  /// longest.
  std::optional<Match> find(std::string_view text, std::size_t from, TextEnd end, Work& work) const;

 private:
  void add_forms(std::string_view secret);
  std::size_t next_candidate(std::string_view text, std::size_t from) const;
  bool goes_on(std::string_view text, std::size_t start) const;

  std::vector<SecretForm> forms_;
  std::vector<FormGroup> groups_;
  std::vector<std::uint8_t> is_first_pair_;   ///< by pair
  std::vector<std::uint8_t> is_first_three_;  ///< by pair and third character, mixed
  std::array<bool, 256> is_first_{};          ///< by byte
};

}  // namespace satellite::sandbox
