#include "agent/runtime/duration_text.hpp"

#include <cstdint>

namespace satellite::agent {
namespace {

std::string with_rest(std::int64_t whole, const char* unit, std::int64_t rest,
                      const char* rest_unit) {
  std::string text = std::to_string(whole) + unit;
  if (rest != 0) text += std::to_string(rest) + rest_unit;
  return text;
}

}  // namespace

std::string duration_text(std::chrono::milliseconds duration) {
  const std::int64_t millis = duration.count();
  if (millis < 0) return "0ms";
  if (millis < 1'000) return std::to_string(millis) + "ms";
  const std::int64_t seconds = millis / 1'000;
  if (seconds < 10) {
    const std::int64_t tenths = millis % 1'000 / 100;
    return std::to_string(seconds) + (tenths == 0 ? "" : "." + std::to_string(tenths)) + "s";
  }
  if (seconds < 60) return std::to_string(seconds) + "s";
  if (seconds < 3'600) return with_rest(seconds / 60, "m", seconds % 60, "s");
  if (seconds < 86'400) return with_rest(seconds / 3'600, "h", seconds % 3'600 / 60, "m");
  return with_rest(seconds / 86'400, "d", seconds % 86'400 / 3'600, "h");
}

}  // namespace satellite::agent
