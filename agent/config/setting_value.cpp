#include "agent/config/setting_value.hpp"

#include "agent/config/setting_table.hpp"
#include "protocol/vocabulary/printable.hpp"

#include <charconv>

namespace satellite::agent {

Error invalid(const EffectiveSetting& setting, const std::string& problem) {
  return Error{ErrorCode::invalid_input,
               setting.key + " (from " + setting.source + "): " + problem};
}

Result<std::uint32_t> number(const EffectiveSetting& value) {
  const Setting& setting = *find_setting(value.key);
  unsigned long parsed = 0;
  const char* const end = value.value.data() + value.value.size();
  const auto [rest, problem] = std::from_chars(value.value.data(), end, parsed);
  if (problem != std::errc{} || rest != end || parsed < setting.minimum ||
      parsed > setting.maximum) {
    return invalid(value, "'" + printable(value.value) + "' is not a whole number from " +
                              std::to_string(setting.minimum) + " to " +
                              std::to_string(setting.maximum));
  }
  return static_cast<std::uint32_t>(parsed);
}

Result<bool> toggle(const EffectiveSetting& value) {
  if (value.value == "true") return true;
  if (value.value == "false") return false;
  return invalid(value, "'" + printable(value.value) + "' is neither true nor false");
}

}  // namespace satellite::agent
