#include "agent/runtime/random_id.hpp"

#include <sys/random.h>

#include <array>
#include <cerrno>
#include <stdexcept>
#include <string_view>

namespace satellite::agent {

std::string random_id() {
  std::array<unsigned char, 16> bytes{};
  // Sixteen bytes come whole once the kernel is seeded, which it is long before we start.
  while (::getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) {
    if (errno != EINTR) throw std::runtime_error("the kernel gives no random numbers");
  }
  bytes[6] = static_cast<unsigned char>((bytes[6] & 0x0FU) | 0x40U);
  bytes[8] = static_cast<unsigned char>((bytes[8] & 0x3FU) | 0x80U);
  constexpr std::string_view hex = "0123456789abcdef";
  std::string text;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) text += '-';
    text += hex[bytes[i] >> 4U];
    text += hex[bytes[i] & 0xFU];
  }
  return text;
}

}  // namespace satellite::agent
