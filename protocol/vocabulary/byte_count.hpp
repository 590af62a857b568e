#pragma once

#include <compare>
#include <cstdint>

namespace satellite {

/// A number of bytes: a size, a bound or an offset, never a plain count of something else.
///
/// Units: bytes; `64_KiB` and `16_MiB` are binary multiples.
struct ByteCount {
  std::uint64_t value = 0;

  constexpr auto operator<=>(const ByteCount&) const = default;
  constexpr ByteCount& operator+=(ByteCount other) { return value += other.value, *this; }
  constexpr ByteCount& operator-=(ByteCount other) { return value -= other.value, *this; }
  friend constexpr ByteCount operator+(ByteCount a, ByteCount b) { return a += b; }
  friend constexpr ByteCount operator-(ByteCount a, ByteCount b) { return a -= b; }
  friend constexpr ByteCount operator*(std::uint64_t n, ByteCount a) { return {n * a.value}; }
};

inline namespace byte_literals {
constexpr ByteCount operator""_B(unsigned long long n) {
  return {n};
}
constexpr ByteCount operator""_KiB(unsigned long long n) {
  return {n << 10U};
}
constexpr ByteCount operator""_MiB(unsigned long long n) {
  return {n << 20U};
}
}  // namespace byte_literals

}  // namespace satellite
