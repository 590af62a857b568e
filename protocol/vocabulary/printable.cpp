#include "protocol/vocabulary/printable.hpp"

namespace satellite {

std::string printable(std::string_view text, std::size_t size_max) {
  std::string shown;
  for (const char c : text.substr(0, size_max)) shown += c >= ' ' && c < '\x7f' ? c : '?';
  if (text.size() > size_max) shown += "...";
  return shown;
}

}  // namespace satellite
