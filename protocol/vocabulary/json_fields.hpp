#pragma once

#include "protocol/vocabulary/byte_count.hpp"
#include "protocol/vocabulary/result.hpp"
#include "protocol/vocabulary/secret.hpp"

#include <cstddef>
#include <cstdint>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace satellite {

/// One word of the wire and the value it stands for; a table of them is an enumeration's codec.
template <typename Value>
struct Word {
  std::string_view text;
  Value value;
};

/// The word of `value`, or nothing where the table has none.
template <typename Words, typename Value>
constexpr std::string_view word_of(const Words& words, Value value) {
  for (const auto& word : words) {
    if (word.value == value) return word.text;
  }
  return {};
}

/// Both ends belong to the range.
struct IntegerRange {
  std::int64_t min = 0;
  std::int64_t max = 0;
};

struct ListBounds {
  std::size_t entries_max = 0;
  ByteCount entry_size_max;
};

struct MapBounds {
  std::size_t entries_max = 0;
  ByteCount entry_size_max;  ///< name and value together
  ByteCount size_max;        ///< all names and values together
};

/// The largest integer that a JSON number carries between any two programs (RFC 8259 section 6).
constexpr std::int64_t json_integer_max = 9'007'199'254'740'991;

/// Reads the members of one JSON object: one typed and bounded call per member.
///
/// Shape:  keeps the first failure and answers with defaults after it, so that a decoder reads from
///         top to bottom and asks once, at its end. Unknown members are nobody's business here.
///         Texts are moved out of the JSON value, so that a secret leaves no second copy there;
///         therefore each member can be read once.
/// Errors: invalid_input (not an object, missing, wrong type, out of range), limit_exceeded (too
///         long, too many). Each names the JSON path and the rule, never the value.
class JsonFields {
 public:
  /// `object` must outlive the reader.
  JsonFields(nlohmann::json& object, std::string path);

  std::string required_text(std::string_view name, ByteCount size_max);
  std::optional<std::string> optional_text(std::string_view name, ByteCount size_max);
  /// Missing is a failure, `null` is nothing.
  std::optional<std::string> nullable_text(std::string_view name, ByteCount size_max);
  /// A text for people: what is too long is cut, because the message matters more than its wording.
  std::string required_remark(std::string_view name, ByteCount size_max);
  std::optional<std::string> optional_remark(std::string_view name, ByteCount size_max);
  /// Whole numbers in any spelling: 5, 5.0 and 5e0 are one number in JSON.
  std::int64_t required_integer(std::string_view name, IntegerRange range);
  double required_number(std::string_view name);
  std::optional<double> optional_number(std::string_view name);
  bool required_flag(std::string_view name);
  std::optional<bool> optional_flag(std::string_view name);
  std::vector<std::string> required_texts(std::string_view name, const ListBounds& bounds);
  std::vector<std::string> optional_texts(std::string_view name, const ListBounds& bounds);
  std::optional<std::map<std::string, std::string>> optional_text_map(std::string_view name,
                                                                      const MapBounds& bounds);
  std::optional<std::map<std::string, Secret>> optional_secret_map(std::string_view name,
                                                                   const MapBounds& bounds);

  template <typename Value>
  Value required_word(std::string_view name, std::span<const Word<Value>> words) {
    return words[required_word_index(name, texts_of(words))].value;
  }
  template <typename Value>
  Value optional_word(std::string_view name, std::span<const Word<Value>> words, Value otherwise) {
    return has(name) ? required_word(name, words) : otherwise;
  }

  /// The member's value if it is an object, else nothing; wrong type fails, absence does not.
  nlohmann::json* optional_object(std::string_view name);
  /// The same for an array, with at most `entries_max` entries.
  nlohmann::json* optional_array(std::string_view name, std::size_t entries_max);

  bool has(std::string_view name) const;
  /// Path of a member, for a reader one level down.
  std::string path_of(std::string_view name) const;
  std::string path_of(std::string_view name, std::size_t index) const;

  /// Records a failure that the caller found; the first one of all is kept.
  void fail(ErrorCode code, std::string_view name, std::string_view why);
  void fail(Error error);
  bool failed() const { return error_.has_value(); }
  const Error& error() const { return *error_; }

 private:
  nlohmann::json* find(std::string_view name) const;
  nlohmann::json* find_required(std::string_view name);
  template <typename Keep>
  bool for_each_text(std::string_view name, const MapBounds& bounds, Keep keep);
  /// The path is made only for a failure: this runs for every text of every message.
  template <typename PathOf>
  std::string take_text(nlohmann::json& value, ByteCount size_max, PathOf path_of_value);
  std::string take_member(nlohmann::json& value, std::string_view name, ByteCount size_max);
  std::optional<double> number(const nlohmann::json& value, std::string_view name);
  std::size_t required_word_index(std::string_view name,
                                  const std::vector<std::string_view>& texts);
  void fail_at(ErrorCode code, const std::string& path, std::string_view why);

  template <typename Value>
  static std::vector<std::string_view> texts_of(std::span<const Word<Value>> words) {
    std::vector<std::string_view> texts;
    for (const Word<Value>& word : words) texts.push_back(word.text);
    return texts;
  }

  nlohmann::json* object_ = nullptr;
  std::string path_;
  std::optional<Error> error_;
};

/// `$.env` and `NAME` -> `$.env.NAME`; a name that is long or not plain is shortened and masked,
/// since it comes from outside and ends up in a log line.
std::string json_path(std::string_view parent, std::string_view name);

}  // namespace satellite
