#include "protocol/timestamp.hpp"

#include <array>
#include <cstdio>
#include <optional>

namespace satellite::protocol {
namespace {

using Clock = std::chrono::system_clock;

/// Takes fixed-width numbers and single characters off the front of a text.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : rest_(text) {}

  std::optional<int> number(std::size_t digits) {
    if (rest_.size() < digits) return std::nullopt;
    int value = 0;
    for (const char c : rest_.substr(0, digits)) {
      if (c < '0' || c > '9') return std::nullopt;
      value = value * 10 + (c - '0');
    }
    rest_.remove_prefix(digits);
    return value;
  }

  bool skip(char expected) {
    if (rest_.empty() || rest_.front() != expected) return false;
    rest_.remove_prefix(1);
    return true;
  }

  /// Digits after a decimal point, cut to milliseconds.
  std::optional<int> fraction() {
    int milliseconds = 0;
    int weight = 100;
    std::size_t digits = 0;
    for (; digits < rest_.size() && rest_[digits] >= '0' && rest_[digits] <= '9'; ++digits) {
      milliseconds += (rest_[digits] - '0') * weight;
      weight /= 10;
    }
    rest_.remove_prefix(digits);
    if (digits == 0 || digits > 9) return std::nullopt;
    return milliseconds;
  }

  bool at_end() const { return rest_.empty(); }

 private:
  std::string_view rest_;
};

std::optional<std::chrono::sys_days> scan_date(Scanner& text) {
  const auto year = text.number(4);
  if (!year || !text.skip('-')) return std::nullopt;
  const auto month = text.number(2);
  if (!month || !text.skip('-')) return std::nullopt;
  const auto day = text.number(2);
  if (!day) return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year{*year},
                                         std::chrono::month{static_cast<unsigned>(*month)},
                                         std::chrono::day{static_cast<unsigned>(*day)}};
  if (!date.ok() || *year < 1970) return std::nullopt;
  return std::chrono::sys_days(date);
}

std::optional<std::chrono::milliseconds> scan_time_of_day(Scanner& text) {
  const auto hour = text.number(2);
  if (!hour || !text.skip(':')) return std::nullopt;
  const auto minute = text.number(2);
  if (!minute || !text.skip(':')) return std::nullopt;
  const auto second = text.number(2);
  // A leap second is written 60; the clock has none, so it becomes the next second.
  if (!second || *hour > 23 || *minute > 59 || *second > 60) return std::nullopt;
  int milliseconds = 0;
  if (text.skip('.')) {
    const auto fraction = text.fraction();
    if (!fraction) return std::nullopt;
    milliseconds = *fraction;
  }
  return std::chrono::hours(*hour) + std::chrono::minutes(*minute) + std::chrono::seconds(*second) +
         std::chrono::milliseconds(milliseconds);
}

std::optional<std::chrono::minutes> scan_offset(Scanner& text) {
  if (text.skip('Z')) return std::chrono::minutes(0);
  const int sign = text.skip('-') ? -1 : 1;
  if (sign == 1 && !text.skip('+')) return std::nullopt;
  const auto hours = text.number(2);
  if (!hours || !text.skip(':')) return std::nullopt;
  const auto minutes = text.number(2);
  if (!minutes || *hours > 23 || *minutes > 59) return std::nullopt;
  return sign * (std::chrono::hours(*hours) + std::chrono::minutes(*minutes));
}

}  // namespace

std::string format_timestamp(Clock::time_point time) {
  const auto milliseconds = std::chrono::floor<std::chrono::milliseconds>(time);
  const auto days = std::chrono::floor<std::chrono::days>(milliseconds);
  const std::chrono::year_month_day date{days};
  const std::chrono::hh_mm_ss of_day{milliseconds - days};
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), "%04d-%02u-%02uT%02d:%02d:%02d.%03dZ",
                static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
                static_cast<unsigned>(date.day()), static_cast<int>(of_day.hours().count()),
                static_cast<int>(of_day.minutes().count()),
                static_cast<int>(of_day.seconds().count()),
                static_cast<int>(of_day.subseconds().count()));
  return text.data();
}

Result<Clock::time_point> parse_timestamp(std::string_view text) {
  const Error malformed{ErrorCode::invalid_input,
                        "must be a time such as 2026-03-04T05:06:07.089Z"};
  Scanner rest(text);
  const auto date = scan_date(rest);
  if (!date || !rest.skip('T')) return malformed;
  const auto time_of_day = scan_time_of_day(rest);
  if (!time_of_day) return malformed;
  const auto offset = scan_offset(rest);
  if (!offset || !rest.at_end()) return malformed;
  const std::chrono::sys_time<std::chrono::milliseconds> time = *date + *time_of_day - *offset;
  // The clock counts nanoseconds; a conversion past its range would wrap.
  if (time > std::chrono::floor<std::chrono::milliseconds>(Clock::time_point::max())) {
    return Clock::time_point::max();
  }
  return Clock::time_point(time);
}

}  // namespace satellite::protocol
