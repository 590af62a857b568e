#include "agent/config/setting_table.hpp"
#include "agent/config/toml_file.hpp"

#include <catch2/catch.hpp>
#include <fstream>
#include <set>

using namespace satellite;
using namespace satellite::agent;

namespace {

/// The example with every suggestion taken: `# key = value` and `# [table]` without their mark.
std::string taken_at_its_word(std::istream& example) {
  std::string text, line;
  while (std::getline(example, line)) {
    const bool marked = line.starts_with("# ") && line.size() > 2;
    const auto word_end = line.find_first_not_of("abcdefghijklmnopqrstuvwxyz_6", 2);
    const bool is_value =
        marked && word_end != std::string::npos && line.compare(word_end, 3, " = ") == 0;
    const bool is_table = marked && line[2] == '[';
    text += (is_value || is_table ? line.substr(2) : line) + "\n";
  }
  return text;
}

}  // namespace

TEST_CASE("the example of a settings file shows every setting, and none that does not exist") {
  std::ifstream example(SATELLITE_SETTINGS_EXAMPLE);
  REQUIRE(example);
  const auto values = parse_toml_settings(taken_at_its_word(example), "satellite.toml");
  REQUIRE(values);
  std::set<std::string> shown, known;
  for (const auto& [key, value] : *values) shown.insert(key);
  for (const Setting& setting : setting_table()) known.insert(std::string(setting.key));
  CHECK(shown == known);
}
