#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <type_traits>

namespace satellite::sandbox {

constexpr std::size_t path_size_max = 4'096;  ///< PATH_MAX of linux/limits.h, its NUL included

/// Appends values to a string of bytes: fixed-size numbers as they lie in memory (both ends are the
/// same program on the same host), texts and lists with their length first.
class ByteWriter {
 public:
  template <typename Number>
  void number(Number value) {
    static_assert(std::is_trivially_copyable_v<Number>);
    char raw[sizeof(Number)];
    std::memcpy(raw, &value, sizeof(Number));
    bytes_.append(raw, sizeof(Number));
  }
  void text(std::string_view value) {
    number(static_cast<std::uint32_t>(value.size()));
    bytes_ += value;
  }
  std::string take() { return std::move(bytes_); }
  void reserve(std::size_t size) { bytes_.reserve(size); }

 private:
  std::string bytes_;
};

/// Reads what ByteWriter wrote. Never reads past the end: the first thing that does not fit makes
/// the reader fail from then on, and everything read after that is zero or empty.
class ByteReader {
 public:
  explicit ByteReader(std::string_view bytes) : rest_(bytes) {}

  template <typename Number>
  Number number() {
    static_assert(std::is_arithmetic_v<Number>);
    Number value{};
    if (rest_.size() < sizeof(Number)) fail();
    if (failed_) return value;
    std::memcpy(&value, rest_.data(), sizeof(Number));
    rest_.remove_prefix(sizeof(Number));
    return value;
  }
  std::string text(std::size_t size_max) {
    const auto size = number<std::uint32_t>();
    if (size > size_max || size > rest_.size()) fail();
    if (failed_) return {};
    std::string value(rest_.substr(0, size));
    rest_.remove_prefix(size);
    return value;
  }
  /// How many elements follow. Each takes at least `element_size_min` bytes, so a count that the
  /// rest cannot hold is refused before anything is allocated for it.
  std::uint32_t count(std::uint32_t count_max, std::size_t element_size_min) {
    const auto value = number<std::uint32_t>();
    if (value > count_max || value > rest_.size() / element_size_min) fail();
    return failed_ ? 0U : value;
  }
  bool flag() {
    const auto value = number<std::uint8_t>();
    if (value > 1) failed_ = true;
    return value == 1;
  }
  void fail() { failed_ = true; }
  bool finished_well() const { return !failed_ && rest_.empty(); }
  bool failed() const { return failed_; }

 private:
  std::string_view rest_;
  bool failed_ = false;
};

}  // namespace satellite::sandbox
