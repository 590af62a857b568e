#include "sandbox/capture/masker.hpp"

#include "protocol/vocabulary/secret.hpp"

#include <algorithm>
#include <utility>

namespace satellite::sandbox {

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
      // Everything behind it is held back, too: this match may reach over it when more has come.
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

}  // namespace satellite::sandbox
