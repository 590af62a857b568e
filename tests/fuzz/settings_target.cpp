#include "agent/config/load_config.hpp"
#include "agent/config/setting_table.hpp"
#include "agent/config/toml_file.hpp"
#include "tests/fuzz/promises.hpp"
#include "tests/fuzz/targets.hpp"

#include <algorithm>

namespace satellite::fuzz {
namespace {

using namespace satellite::agent;

constexpr std::uint32_t own_uid = 1'000;

/// What names a file would be opened, and the fuzzer shall not open what it makes up.
bool names_a_file(const Setting& setting) {
  return setting.kind == SettingKind::path && setting.key != "sandbox.scratch_directory";
}

std::map<std::string, std::string> options_of(const std::map<std::string, FileValue>& file) {
  std::map<std::string, std::string> options{{"core", "https://core.example"}, {"id", "s-1"}};
  for (const auto& [key, value] : file) {
    const Setting* setting = find_setting(key);
    if (setting != nullptr && !names_a_file(*setting)) options[key] = value.text;
  }
  return options;
}

bool is_within_its_bounds(const EffectiveSetting& effective) {
  const Setting* setting = find_setting(effective.key);
  if (setting == nullptr || effective.value.empty()) return true;
  const bool is_number = setting->kind == SettingKind::count ||
                         setting->kind == SettingKind::seconds ||
                         setting->kind == SettingKind::identity;
  if (!is_number) return true;
  const bool is_digits = std::all_of(effective.value.begin(), effective.value.end(),
                                     [](char c) { return c >= '0' && c <= '9'; });
  if (!is_digits || effective.value.size() > 20) return false;
  const unsigned long number = std::stoul(effective.value);
  return number >= setting->minimum && number <= setting->maximum;
}

Broken check_config(const LoadedConfig& loaded) {
  ConfigSources again;
  again.own_uid = own_uid;
  for (const EffectiveSetting& effective : loaded.settings) {
    if (!is_within_its_bounds(effective)) return effective.key + " is beyond its bounds";
    // What was left out stays so: a default that is named becomes the operator's word.
    if (effective.source != "default" && find_setting(effective.key) != nullptr) {
      again.options[effective.key] = effective.value;
    }
  }
  const auto reloaded = load_config(again, SettingsUse::local);
  if (!reloaded) return "settings said again are refused: " + reloaded.error().message;
  const auto same = [](const EffectiveSetting& a, const EffectiveSetting& b) {
    return a.key == b.key && a.value == b.value;
  };
  if (!std::equal(loaded.settings.begin(), loaded.settings.end(), reloaded->settings.begin(),
                  reloaded->settings.end(), same)) {
    return "settings said again are others";
  }
  return std::nullopt;
}

}  // namespace

Broken check_settings_target(std::string_view input) {
  const auto file = parse_toml_settings(std::string(input), "satellite.toml");
  if (!file) return unless_fit_for_log(file.error());
  for (const auto& [key, value] : *file) {
    if (!value.where.starts_with("satellite.toml:")) return "a value without a place: " + key;
  }
  ConfigSources sources;
  sources.own_uid = own_uid;
  sources.options = options_of(*file);
  const auto loaded = load_config(sources, SettingsUse::local);
  return loaded ? check_config(*loaded) : unless_fit_for_log(loaded.error());
}

}  // namespace satellite::fuzz
