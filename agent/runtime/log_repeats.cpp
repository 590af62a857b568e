#include "agent/runtime/log_repeats.hpp"

#include <algorithm>
#include <utility>

namespace satellite::agent {
namespace {

bool may_be_counted(const LogRepeats::Line& line) {
  const bool is_serious = line.level == LogLevel::warn || line.level == LogLevel::error;
  const auto is_varying_number = [](const LogField& field) {
    return field.varies && field.kind == LogField::Kind::number;
  };
  return is_serious || std::any_of(line.fields.begin(), line.fields.end(), is_varying_number);
}

std::string key_of(const LogRepeats::Line& line) {
  std::string key(line.event);
  (key += '\0') += line.text;
  for (const LogField& field : line.fields) {
    if (field.varies) continue;
    ((key += '\0') += field.key) += '=';
    key += field.value;
  }
  return key;
}

}  // namespace

void LogRepeats::append_counted(std::vector<Line>& lines, Entry& entry) {
  if (entry.counted == 0) return;
  lines.push_back(entry.latest);
  lines.back().fields.emplace_back("repeated", std::exchange(entry.counted, 0));
}

std::vector<LogRepeats::Line> LogRepeats::take_counted() {
  std::vector<Line> lines;
  for (Entry& entry : entries_) append_counted(lines, entry);
  entries_.clear();
  return lines;
}

std::vector<LogRepeats::Line> LogRepeats::take(Line line, Time now) {
  if (!may_be_counted(line)) {
    std::vector<Line> lines = take_counted();
    lines.push_back(std::move(line));
    return lines;
  }
  std::string key = key_of(line);
  const auto known = std::find_if(entries_.begin(), entries_.end(),
                                  [&key](const Entry& entry) { return entry.key == key; });
  std::vector<Line> lines;
  if (known == entries_.end()) {
    if (entries_.size() == entries_max) {
      append_counted(lines, entries_.front());
      entries_.pop_front();
    }
    entries_.push_back({std::move(key), line, now});
    lines.push_back(std::move(line));
    return lines;
  }
  known->latest = std::move(line);
  if (now - known->told_at < known->window) {
    ++known->counted;
    return lines;
  }
  known->told_at = now;
  known->window = std::min(2 * known->window, window_max);
  if (known->counted == 0) {
    lines.push_back(known->latest);
  } else {
    append_counted(lines, *known);
  }
  return lines;
}

}  // namespace satellite::agent
