#include "sandbox/planning/shell_quote.hpp"

namespace satellite::sandbox {

std::string shell_quote(std::string_view value) {
  std::string word = "'";
  for (const char c : value) {
    if (c == '\'') {
      word += "'\\''";
    } else {
      word += c;
    }
  }
  return word += '\'';
}

}  // namespace satellite::sandbox
