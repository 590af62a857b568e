#include "protocol/decoding/json_slices.hpp"

#include <nlohmann/json.hpp>

// One cursor walks text that a real parser has already accepted, so it only needs to find the ends
// of values. Every step checks the end of the text: safety does not rest on that earlier judgement.

namespace satellite::protocol {
namespace {

class Cursor {
 public:
  explicit Cursor(std::string_view text) : text_(text) {}

  void skip_space() {
    while (at_ < text_.size() &&
           (text_[at_] == ' ' || text_[at_] == '\t' || text_[at_] == '\n' || text_[at_] == '\r')) {
      ++at_;
    }
  }

  bool skip(char expected) {
    skip_space();
    if (at_ >= text_.size() || text_[at_] != expected) return false;
    ++at_;
    return true;
  }

  /// The next value with its quotes or brackets; empty if there is none.
  std::string_view value() {
    skip_space();
    const std::size_t start = at_;
    if (at_ >= text_.size()) return {};
    const char first = text_[at_];
    if (first == '"') {
      skip_string();
    } else if (first == '{' || first == '[') {
      skip_container();
    } else {
      skip_word();
    }
    return text_.substr(start, at_ - start);
  }

  bool at_end() {
    skip_space();
    return at_ == text_.size();
  }

 private:
  void skip_string() {
    const std::size_t start = ++at_;
    while (true) {
      const std::size_t quote = text_.find('"', at_);
      if (quote == std::string_view::npos) {
        at_ = text_.size();
        return;
      }
      std::size_t slashes = 0;
      while (quote - slashes > start && text_[quote - slashes - 1] == '\\') ++slashes;
      at_ = quote + 1;
      if (slashes % 2 == 0) return;
    }
  }

  void skip_container() {
    std::size_t depth = 0;
    do {
      const char c = text_[at_];
      if (c == '"') {
        skip_string();
        continue;
      }
      if (c == '{' || c == '[') ++depth;
      if (c == '}' || c == ']') --depth;
      ++at_;
    } while (depth > 0 && at_ < text_.size());
  }

  void skip_word() {
    constexpr std::string_view ends = ",:]} \t\r\n";
    while (at_ < text_.size() && ends.find(text_[at_]) == std::string_view::npos) ++at_;
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

/// The value of a slice. A text without escapes stands in the frame as it is, and most are such.
nlohmann::json value_of(std::string_view slice) {
  const bool plain_text =
      slice.size() >= 2 && slice.front() == '"' && slice.find('\\') == std::string_view::npos;
  if (plain_text) return std::string(slice.substr(1, slice.size() - 2));
  return nlohmann::json::parse(slice, nullptr, false);
}

/// The name in the quotes. `"\u0061"` names `a`, too: then `unescaped` holds what the view shows.
std::string_view name_of(std::string_view quoted, std::string& unescaped) {
  if (quoted.size() < 2) return {};
  if (quoted.find('\\') == std::string_view::npos) return quoted.substr(1, quoted.size() - 2);
  const auto value = nlohmann::json::parse(quoted, nullptr, false);
  if (value.is_string()) unescaped = value.get_ref<const std::string&>();
  return unescaped;
}

Error malformed(std::string_view what) {
  return Error{ErrorCode::invalid_input, "must be " + std::string(what)};
}

}  // namespace

Result<JsonSlices> JsonSlices::of(std::string_view object,
                                  std::span<const std::string_view> wanted) {
  JsonSlices slices;
  for (const std::string_view name : wanted) slices.members_.push_back({name, {}});
  Cursor cursor(object);
  if (!cursor.skip('{')) return malformed("an object");
  if (cursor.skip('}')) return slices;
  do {
    const std::string_view quoted = cursor.value();
    if (!cursor.skip(':')) return malformed("an object");
    const std::string_view text = cursor.value();
    if (text.empty()) return malformed("an object");
    std::string unescaped;
    const std::string_view name = name_of(quoted, unescaped);
    for (Member& member : slices.members_) {
      if (member.name != name) continue;
      if (!member.text.empty()) return malformed("an object with each member once");
      member.text = text;
    }
  } while (cursor.skip(','));
  if (!cursor.skip('}') || !cursor.at_end()) return malformed("an object");
  return slices;
}

std::optional<std::string_view> JsonSlices::find(std::string_view name) const {
  for (const Member& member : members_) {
    if (member.name == name && !member.text.empty()) return member.text;
  }
  return std::nullopt;
}

nlohmann::json JsonSlices::parsed(std::span<const std::string_view> wanted) const {
  nlohmann::json object = nlohmann::json::object();
  for (const std::string_view name : wanted) {
    const auto text = find(name);
    if (text) object[std::string(name)] = value_of(*text);
  }
  return object;
}

nlohmann::json JsonSlices::parsed(std::initializer_list<std::string_view> wanted) const {
  return parsed(std::span(wanted.begin(), wanted.size()));
}

Result<std::vector<std::string_view>> slice_entries(std::string_view array,
                                                    std::size_t entries_max) {
  std::vector<std::string_view> entries;
  Cursor cursor(array);
  if (!cursor.skip('[')) return malformed("an array");
  if (cursor.skip(']')) return entries;
  do {
    if (entries.size() == entries_max) {
      return Error{ErrorCode::limit_exceeded,
                   "has more entries than the limit of " + std::to_string(entries_max)};
    }
    entries.push_back(cursor.value());
    if (entries.back().empty()) return malformed("an array");
  } while (cursor.skip(','));
  if (!cursor.skip(']') || !cursor.at_end()) return malformed("an array");
  return entries;
}

}  // namespace satellite::protocol
