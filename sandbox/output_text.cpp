#include "sandbox/output_text.hpp"

#include "sandbox/capture/utf8.hpp"

namespace satellite::sandbox {

std::string output_text(std::string_view bytes, OutputEnd end) {
  if (end == OutputEnd::cut) bytes.remove_suffix(unfinished_utf8_tail(bytes));
  const std::string decoded = decoded_with_replacement(bytes);
  return std::string(trimmed_as_javascript(decoded));
}

}  // namespace satellite::sandbox
