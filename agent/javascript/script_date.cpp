#include "agent/javascript/script_date.hpp"

#include "agent/javascript/javascript_text.hpp"

#include <array>
#include <charconv>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <regex>

namespace satellite::agent {
namespace {

using namespace std::chrono;

// Past these Date gives `Invalid Date` (ECMA-262 21.4.1.1).
constexpr double milliseconds_max = 8.64e15;
// Longer texts are no dates, and std::regex recurses over its input.
constexpr std::size_t date_text_size_max = 64;

constexpr std::array<const char*, 7> weekdays{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
constexpr std::array<const char*, 12> months{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                             "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

struct Fields {
  int year = 1970, month = 1, day = 1, hour = 0, minute = 0, second = 0, millisecond = 0;
  int offset_minutes = 0;
};

std::optional<ScriptDate> date_from(const Fields& fields) {
  const year_month_day date{year(fields.year), month(static_cast<unsigned>(fields.month)),
                            day(static_cast<unsigned>(fields.day))};
  const bool is_end_of_day =
      fields.hour == 24 && fields.minute + fields.second + fields.millisecond == 0;
  if (!date.ok() || (fields.hour > 23 && !is_end_of_day) || fields.minute > 59 ||
      fields.second > 59) {
    return std::nullopt;
  }
  const std::int64_t days = sys_days(date).time_since_epoch().count();
  const std::int64_t minutes = (days * 24 + fields.hour) * 60 + fields.minute;
  return ScriptDate{((minutes - fields.offset_minutes) * 60 + fields.second) * 1000 +
                    fields.millisecond};
}

int number(const std::csub_match& match, int otherwise = 0) {
  return match.matched ? std::stoi(match.str()) : otherwise;
}

int offset_in_minutes(const std::csub_match& sign, const std::csub_match& hours,
                      const std::csub_match& minutes) {
  if (!sign.matched) return 0;
  const int offset = number(hours) * 60 + number(minutes);
  return sign.str() == "-" ? -offset : offset;
}

std::optional<ScriptDate> iso_date(const char* begin, const char* end) {
  static const std::regex form(
      "([+-]\\d{6}|\\d{4})(?:-(\\d{2})(?:-(\\d{2}))?)?"
      "(?:[T ](\\d{2}):(\\d{2})(?::(\\d{2})(?:[.,](\\d{1,9}))?)?(?:Z|([+-])(\\d{2}):?(\\d{2}))?)?");
  std::cmatch match;
  if (!std::regex_match(begin, end, match, form)) return std::nullopt;
  Fields fields;
  fields.year = number(match[1]);
  fields.month = number(match[2], 1);
  fields.day = number(match[3], 1);
  fields.hour = number(match[4]);
  fields.minute = number(match[5]);
  fields.second = number(match[6]);
  if (match[7].matched) fields.millisecond = std::stoi((match[7].str() + "00").substr(0, 3));
  fields.offset_minutes = offset_in_minutes(match[8], match[9], match[10]);
  return date_from(fields);
}

std::optional<ScriptDate> mail_date(const char* begin, const char* end) {
  static const std::regex form(
      "(?:[A-Za-z]{3,9},? )?(\\d{1,2}) ([A-Za-z]{3})[a-z]* (\\d{4})"
      "(?: (\\d{2}):(\\d{2})(?::(\\d{2}))?)?(?: (?:GMT|UTC|Z)?(?:([+-])(\\d{2}):?(\\d{2}))?)?");
  std::cmatch match;
  if (!std::regex_match(begin, end, match, form)) return std::nullopt;
  Fields fields;
  fields.month = 0;
  for (std::size_t i = 0; i < months.size(); ++i) {
    if (match[2].str() == months[i]) fields.month = static_cast<int>(i) + 1;
  }
  fields.day = number(match[1]);
  fields.year = number(match[3]);
  fields.hour = number(match[4]);
  fields.minute = number(match[5]);
  fields.second = number(match[6]);
  fields.offset_minutes = offset_in_minutes(match[7], match[8], match[9]);
  return date_from(fields);
}

/// A whole number alone, which JavaScript engines take for a month of 2001 or for a year.
std::optional<ScriptDate> number_date(std::string_view text) {
  constexpr std::size_t digits_max = 6;
  if (text.starts_with('-') || text.starts_with('+')) text.remove_prefix(1);
  if (text.empty() || text.size() > digits_max) return std::nullopt;
  int value = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, problem] = std::from_chars(text.data(), end, value);
  if (problem != std::errc{} || rest != end || value < 0) return std::nullopt;
  if (value > 12 && value < 32) return std::nullopt;
  Fields fields;
  fields.year = value >= 100 ? value : value >= 50 ? 1900 + value : 2000 + value;
  if (value >= 1 && value <= 12) {
    fields.year = 2001;
    fields.month = value;
  }
  // std::chrono knows years to 32767 only.
  return fields.year <= static_cast<int>(year::max()) ? date_from(fields) : std::nullopt;
}

/// A date and a time of day from printf's hands: every field has its place.
template <typename... Numbers>
std::string printed(const char* form, Numbers... numbers) {
  std::array<char, 80> buffer{};
  std::snprintf(buffer.data(), buffer.size(), form, numbers...);
  return buffer.data();
}

struct Broken {
  year_month_day date;
  hh_mm_ss<milliseconds> time;
  unsigned weekday = 0;
};

Broken broken_down(ScriptDate date) {
  const sys_time<milliseconds> point{milliseconds(date.milliseconds)};
  const auto day_point = floor<days>(point);
  return {year_month_day(day_point), hh_mm_ss<milliseconds>(point - day_point),
          weekday(day_point).c_encoding()};
}

}  // namespace

std::optional<ScriptDate> date_of(const ScriptValue& value) {
  if (const double* number_value = value.as_number()) {
    if (!(std::fabs(*number_value) <= milliseconds_max)) return std::nullopt;
    return ScriptDate{static_cast<std::int64_t>(*number_value)};
  }
  const std::string* text = value.as_text();
  if (text == nullptr || text->size() > date_text_size_max) return std::nullopt;
  const char* const end = text->data() + text->size();
  const auto iso = iso_date(text->data(), end);
  if (iso) return iso;
  const auto mail = mail_date(text->data(), end);
  return mail ? mail : number_date(javascript_trimmed(*text));
}

std::string iso_text(ScriptDate date) {
  const Broken broken = broken_down(date);
  const int year_number = static_cast<int>(broken.date.year());
  const std::string year_text = year_number >= 0 && year_number <= 9999
                                    ? printed("%04d", year_number)
                                    : printed("%+07d", year_number);
  return year_text + printed("-%02u-%02uT%02d:%02d:%02d.%03dZ",
                             static_cast<unsigned>(broken.date.month()),
                             static_cast<unsigned>(broken.date.day()),
                             static_cast<int>(broken.time.hours().count()),
                             static_cast<int>(broken.time.minutes().count()),
                             static_cast<int>(broken.time.seconds().count()),
                             static_cast<int>(broken.time.subseconds().count()));
}

std::string rfc2822_text(ScriptDate date) {
  const Broken broken = broken_down(date);
  const auto month_index = static_cast<unsigned>(broken.date.month()) - 1;
  return printed("%s, %02u %s %04d %02d:%02d:%02d GMT", weekdays[broken.weekday],
                 static_cast<unsigned>(broken.date.day()), months[month_index],
                 static_cast<int>(broken.date.year()),
                 static_cast<int>(broken.time.hours().count()),
                 static_cast<int>(broken.time.minutes().count()),
                 static_cast<int>(broken.time.seconds().count()));
}

}  // namespace satellite::agent
