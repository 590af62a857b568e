#include "agent/connection/retry_after.hpp"

#include "protocol/vocabulary/clock_moment.hpp"

#include <algorithm>
#include <charconv>
#include <ctime>
#include <string>

namespace satellite::agent {
namespace {

using std::chrono::seconds;

constexpr seconds retry_after_min{1};
constexpr seconds wait_max{15 * 60};

std::optional<seconds> parse_seconds(std::string_view text) {
  long long value = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (end != text.data() + text.size() || text.empty()) return {};
  // More digits than fit are still a number, only a very long wait.
  if (failure == std::errc::result_out_of_range) return wait_max;
  if (failure != std::errc{} || value < 0) return {};
  return seconds(std::min<long long>(value, wait_max.count()));
}

std::optional<seconds> parse_date(std::string_view text,
                                  std::chrono::system_clock::time_point now) {
  const auto date = parse_http_date(text);
  if (!date) return {};
  const std::time_t moment = std::chrono::system_clock::to_time_t(*date);
  const std::time_t today = std::chrono::system_clock::to_time_t(now);
  return seconds(std::clamp<std::time_t>(moment - today, 0, wait_max.count()));
}

}  // namespace

std::optional<std::chrono::system_clock::time_point> parse_http_date(std::string_view text) {
  constexpr std::size_t date_size = 29;  // Sun, 06 Nov 1994 08:49:37 GMT
  if (text.size() != date_size) return {};
  std::tm parts{};
  const std::string copy(text);
  const char* end = ::strptime(copy.c_str(), "%a, %d %b %Y %H:%M:%S GMT", &parts);
  if (end == nullptr || *end != '\0') return {};
  return clock_moment(::timegm(&parts));
}

std::optional<seconds> parse_retry_after(std::string_view text,
                                         std::chrono::system_clock::time_point now) {
  std::optional<seconds> wait = parse_seconds(text);
  if (!wait) wait = parse_date(text, now);
  if (!wait) return {};
  return std::clamp(*wait, retry_after_min, wait_max);
}

}  // namespace satellite::agent
