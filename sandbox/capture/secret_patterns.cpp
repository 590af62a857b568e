#include "sandbox/capture/secret_patterns.hpp"

#include "protocol/vocabulary/secret.hpp"

#include <algorithm>
#include <cstring>

namespace satellite::sandbox {
namespace {

constexpr std::size_t pattern_size_max = 1024;
constexpr std::size_t pattern_size_min = 4;
constexpr std::size_t block_size = 2;
constexpr std::size_t block_count = 1U << 16U;
/// Longer windows than this would not skip more in practice, and the shift must fit into a byte.
constexpr std::size_t window_size_max = 32;

std::uint16_t block_at(std::string_view text, std::size_t index) {
  std::uint16_t block = 0;
  std::memcpy(&block, text.data() + index, block_size);
  return block;
}

/// A long form in pieces of at most pattern_size_max, none too short to be a pattern of its own.
void add_pieces(std::vector<std::string>& patterns, std::string_view form) {
  while (!form.empty()) {
    std::size_t size = std::min(form.size(), pattern_size_max);
    const std::size_t rest = form.size() - size;
    if (rest > 0 && rest < pattern_size_min) size -= pattern_size_min;
    patterns.emplace_back(form.substr(0, size));
    form.remove_prefix(size);
  }
}

}  // namespace

SecretPatterns::SecretPatterns(const std::vector<std::string_view>& secrets) {
  for (const auto secret : secrets) {
    for (auto& form : forms_of_secret(secret)) {
      add_pieces(patterns_, form);
      wipe(form);
    }
  }
  std::sort(patterns_.begin(), patterns_.end());
  const auto unique_end = std::unique(patterns_.begin(), patterns_.end());
  std::for_each(unique_end, patterns_.end(), wipe);
  patterns_.erase(unique_end, patterns_.end());
  if (!patterns_.empty()) index_patterns();
}

SecretPatterns::~SecretPatterns() {
  std::for_each(patterns_.begin(), patterns_.end(), wipe);
}

void SecretPatterns::index_patterns() {
  length_min_ = window_size_max;
  for (const auto& pattern : patterns_) {
    length_min_ = std::min(length_min_, pattern.size());
    length_max_ = std::max(length_max_, pattern.size());
  }
  shift_.assign(block_count, static_cast<std::uint8_t>(length_min_ - block_size + 1));
  by_first_byte_.resize(256);
  for (std::size_t index = 0; index < patterns_.size(); ++index) {
    const std::string& pattern = patterns_[index];
    for (std::size_t end = block_size; end <= length_min_; ++end) {
      auto& shift = shift_[block_at(pattern, end - block_size)];
      shift = std::min(shift, static_cast<std::uint8_t>(length_min_ - end));
    }
    const std::uint16_t last = block_at(pattern, length_min_ - block_size);
    const auto place = std::lower_bound(
        buckets_.begin(), buckets_.end(), last,
        [](const Bucket& bucket, std::uint16_t block) { return bucket.block < block; });
    if (place != buckets_.end() && place->block == last) {
      place->patterns.push_back(index);
    } else {
      buckets_.insert(place, Bucket{last, {index}});
    }
    by_first_byte_[static_cast<unsigned char>(pattern[0])].push_back(index);
  }
}

std::size_t SecretPatterns::longest_match_at(std::string_view text, std::size_t start) const {
  const std::uint16_t block = block_at(text, start + length_min_ - block_size);
  const auto bucket = std::lower_bound(
      buckets_.begin(), buckets_.end(), block,
      [](const Bucket& candidate, std::uint16_t wanted) { return candidate.block < wanted; });
  if (bucket == buckets_.end() || bucket->block != block) return 0;
  std::size_t longest = 0;
  for (const std::size_t index : bucket->patterns) {
    const std::string& pattern = patterns_[index];
    if (pattern.size() > longest && text.substr(start).starts_with(pattern)) {
      longest = pattern.size();
    }
  }
  return longest;
}

std::optional<SecretPatterns::Match> SecretPatterns::find(std::string_view text,
                                                          std::size_t from) const {
  if (patterns_.empty()) return std::nullopt;
  std::size_t end = from + length_min_;
  while (end <= text.size()) {
    const std::size_t shift = shift_[block_at(text, end - block_size)];
    if (shift != 0) {
      end += shift;
      continue;
    }
    const std::size_t start = end - length_min_;
    if (const std::size_t length = longest_match_at(text, start)) return Match{start, length};
    ++end;
  }
  return std::nullopt;
}

std::size_t SecretPatterns::tail_start(std::string_view text) const {
  if (patterns_.empty()) return text.size();
  const std::size_t reach = std::min(text.size(), length_max_ - 1);
  for (std::size_t start = text.size() - reach; start < text.size(); ++start) {
    const std::string_view tail = text.substr(start);
    for (const std::size_t index : by_first_byte_[static_cast<unsigned char>(tail[0])]) {
      const std::string& pattern = patterns_[index];
      if (pattern.size() > tail.size() && std::string_view(pattern).starts_with(tail)) return start;
    }
  }
  return text.size();
}

}  // namespace satellite::sandbox
