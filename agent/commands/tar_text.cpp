#include "agent/commands/tar_text.hpp"

#include <array>
#include <cassert>
#include <cstdint>
#include <cstdio>
#include <numeric>

namespace satellite::agent {
namespace {

constexpr std::size_t block_size = 512;

/// A field of the header: where it stands, how much room it has.
struct Field {
  std::size_t offset, size;
};
constexpr Field name_field{0, 100}, mode_field{100, 8}, uid_field{108, 8}, gid_field{116, 8},
    size_field{124, 12}, time_field{136, 12}, checksum_field{148, 8}, type_field{156, 1},
    magic_field{257, 8}, user_field{265, 32}, group_field{297, 32};

class Header {
 public:
  Header() { bytes_.fill('\0'); }
  void put(Field field, std::string_view text) {
    assert(text.size() <= field.size);
    text.copy(bytes_.data() + field.offset, text.size());
  }
  /// Octal digits, and a zero byte behind them.
  void put(Field field, std::uint64_t number) {
    std::array<char, 24> digits{};
    std::snprintf(digits.data(), digits.size(), "%0*llo", static_cast<int>(field.size - 1),
                  static_cast<unsigned long long>(number));
    put(field, digits.data());
  }
  /// With its checksum, for which that field counts as blanks.
  std::string_view finish() {
    put(checksum_field, "        ");
    const auto sum =
        std::accumulate(bytes_.begin(), bytes_.end(), std::uint64_t{0},
                        [](auto all, char c) { return all + static_cast<unsigned char>(c); });
    put(Field{checksum_field.offset, checksum_field.size - 1}, sum);
    bytes_[checksum_field.offset + checksum_field.size - 2] = '\0';
    return {bytes_.data(), bytes_.size()};
  }

 private:
  std::array<char, block_size> bytes_{};
};

}  // namespace

std::string tar_text(const std::vector<TarEntry>& entries,
                     std::chrono::system_clock::time_point made_at) {
  const auto seconds =
      std::chrono::duration_cast<std::chrono::seconds>(made_at.time_since_epoch()).count();
  std::string archive;
  for (const TarEntry& entry : entries) {
    Header header;
    header.put(name_field, entry.name);
    header.put(mode_field, 0600);
    header.put(uid_field, 0);
    header.put(gid_field, 0);
    header.put(size_field, entry.text.size());
    header.put(time_field, static_cast<std::uint64_t>(seconds));
    header.put(type_field, "0");
    header.put(magic_field, std::string_view("ustar\0"
                                             "00",
                                             8));
    header.put(user_field, "root");
    header.put(group_field, "root");
    archive += header.finish();
    archive += entry.text;
    archive.append((block_size - entry.text.size() % block_size) % block_size, '\0');
  }
  archive.append(2 * block_size, '\0');
  return archive;
}

}  // namespace satellite::agent
