#pragma once

#include "protocol/vocabulary/byte_count.hpp"
#include "sandbox/report/outcome.hpp"

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace satellite::sandbox {

/// Of the answer's line; what a result may hold beyond it is bounded by depth and values, too.
inline constexpr ByteCount module_answer_size_max{4U << 20U};
/// Of an error's text, and of its stack.
inline constexpr ByteCount module_error_size_max{64U << 10U};

/// Reads what a module run says on descriptor 4: the byte `R` when the bootstrap is loaded, then
/// one line of JSON.
///
/// Shape:  pure. The script may write there, too: that forges nothing but what it could have
///         returned, so that strictness is all that is needed. The first line counts, all after it
///         is ignored; anything else than the two forms below is no answer. A result past the
///         bounds is the error `Script result is too large`.
///             {"ok":true,"result":VALUE}    {"ok":false,"error":"text","stack":"text"}
class AnswerLine {
 public:
  void feed(std::string_view bytes);
  /// No more bytes will come: a line without its end is no answer.
  void finish();

  bool is_loaded() const { return loaded_; }      ///< the bootstrap waits for its task or runs it
  bool is_complete() const { return complete_; }  ///< nothing that comes now counts
  bool has_answer() const { return answer_.has_value(); }
  /// After is_complete(), once. Lone surrogates became U+FFFD; error and stack are cut.
  std::optional<ModuleAnswer> take();

 private:
  void read_line();

  std::string line_;
  std::optional<ModuleAnswer> answer_;
  bool begun_ = false, loaded_ = false, complete_ = false;
};

}  // namespace satellite::sandbox
