#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace satellite::sandbox {

/// Every form in which the secrets of one run may show up in its output, ready for searching.
///
/// Shape:  per secret of at least 4 bytes: raw, JSON-escaped, URL-encoded and base64 (each of the
///         three alignments, both alphabets). A form longer than 1 KiB becomes several, so that
///         what has to be held back between two reads stays small.
/// Source: spec/dispatch-extension.md "Masking"; the search is Wu and Manber's (1994) with blocks
///         of two bytes: it looks at every third byte or fewer where nothing matches.
class SecretPatterns {
 public:
  SecretPatterns() = default;
  explicit SecretPatterns(const std::vector<std::string_view>& secrets);
  ~SecretPatterns();
  SecretPatterns(const SecretPatterns&) = delete;
  SecretPatterns& operator=(const SecretPatterns&) = delete;

  bool empty() const { return patterns_.empty(); }
  std::size_t length_max() const { return length_max_; }

  struct Match {
    std::size_t start = 0, length = 0;
  };
  /// The first match at or after `from`; where several begin, the longest.
  std::optional<Match> find(std::string_view text, std::size_t from) const;

  /// Where the longest tail of `text` begins that could be the start of a match; its size if none.
  std::size_t tail_start(std::string_view text) const;

 private:
  struct Bucket {
    std::uint16_t block = 0;
    std::vector<std::size_t> patterns;
  };
  void index_patterns();
  std::size_t longest_match_at(std::string_view text, std::size_t start) const;

  std::vector<std::string> patterns_;
  std::size_t length_min_ = 0, length_max_ = 0;
  std::vector<std::uint8_t> shift_;  ///< by block; 0 = a pattern's first part may end here
  std::vector<Bucket> buckets_;      ///< sorted by block
  std::vector<std::vector<std::size_t>> by_first_byte_;
};

/// All forms of one secret, itself first; empty when it is too short to be masked.
std::vector<std::string> forms_of_secret(std::string_view secret);

}  // namespace satellite::sandbox
