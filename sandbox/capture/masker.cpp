#include "sandbox/capture/masker.hpp"

#include "protocol/vocabulary/secret.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

namespace satellite::sandbox {
namespace {

/// Length in UTF-16 units of UTF-8 text: a code point of four bytes takes two.
std::size_t utf16_size(std::string_view text) {
  std::size_t units = 0;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if ((byte & 0xC0U) != 0x80U) units += byte >= 0xF0 ? 2 : 1;
  }
  return units;
}

std::vector<std::string> maskable(std::vector<std::string> values) {
  constexpr std::size_t units_min = 4;
  std::erase_if(values, [](const std::string& value) { return utf16_size(value) < units_min; });
  std::stable_sort(values.begin(), values.end(),
                   [](const auto& a, const auto& b) { return utf16_size(a) > utf16_size(b); });
  return values;
}

void replace_all(std::string& text, std::string_view value) {
  for (std::size_t at = text.find(value); at != std::string::npos;
       at = text.find(value, at + mask_text.size())) {
    text.replace(at, value.size(), mask_text);
  }
}

}  // namespace

Masker::~Masker() {
  wipe(held_);
  wipe(output_);
}

std::string_view Masker::feed(std::string_view bytes) {
  if (patterns_.empty() || (bytes.empty() && !paused_)) return bytes;
  if (held_.empty()) return masked(bytes, TextEnd::open);
  std::string joined = std::exchange(held_, {});
  joined += bytes;
  const std::string_view result = masked(joined, TextEnd::open);
  // What is untouched is a view of `joined`, which ends here.
  if (result.data() != output_.data()) output_.assign(result);
  return output_;
}

std::string_view Masker::finish() {
  const std::string joined = std::exchange(held_, {});
  const std::string_view result = masked(joined, TextEnd::final);
  if (result.data() != output_.data()) output_.assign(result);
  return output_;
}

std::string_view Masker::masked(std::string_view text, TextEnd end) {
  std::size_t shown_from = std::exchange(hidden_, 0);
  std::size_t tail = text.size();
  bool untouched = true;
  paused_ = false;
  output_.clear();
  if (hides_rest_) return output_;
  for (auto match = patterns_.find(text, 0, end, work_); match;
       match = patterns_.find(text, match->start + 1, end, work_)) {
    if (match->unfinished) {
      // All that follows waits, too: what comes next may make it part of this one.
      tail = match->start;
      paused_ = match->paused;
      break;
    }
    if (match->too_much) {
      hides_rest_ = true;
      match->size = text.size() - match->start;
    }
    if (match->start >= shown_from) {
      output_ += text.substr(shown_from, match->start - shown_from);
      output_ += mask_text;
      untouched = false;
    }
    shown_from = std::max(shown_from, match->start + match->size);
    if (hides_rest_) break;
  }
  held_.assign(text.substr(tail));
  hidden_ = shown_from > tail ? shown_from - tail : 0;
  const std::string_view rest =
      shown_from < tail ? text.substr(shown_from, tail - shown_from) : std::string_view();
  if (untouched) return rest;
  output_ += rest;
  return output_;
}

std::string mask_secrets(std::string text, const std::vector<std::string>& values) {
  for (const auto& value : maskable(values)) replace_all(text, value);
  return text;
}

nlohmann::ordered_json mask_secrets_deep(const nlohmann::ordered_json& value,
                                         const std::vector<std::string>& values) {
  if (value.is_string()) return mask_secrets(value.get<std::string>(), values);
  if (value.is_array()) {
    auto copy = nlohmann::ordered_json::array();
    for (const auto& element : value) copy.push_back(mask_secrets_deep(element, values));
    return copy;
  }
  if (value.is_object()) {
    auto copy = nlohmann::ordered_json::object();
    for (const auto& [key, element] : value.items()) {
      copy[mask_secrets(key, values)] = mask_secrets_deep(element, values);
    }
    return copy;
  }
  return value;
}

}  // namespace satellite::sandbox
