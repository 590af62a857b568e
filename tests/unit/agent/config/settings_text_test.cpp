#include "agent/config/settings_text.hpp"

#include "agent/config/toml_file.hpp"

#include <catch2/catch.hpp>

using namespace satellite;
using namespace satellite::agent;

TEST_CASE("a setting takes the place of the line that has it, and everything else stays") {
  struct Row {
    std::string before;
    std::map<std::string, std::string> values;
    std::string after;
  };
  const Row row = GENERATE(
      Row{"", {{"core", "https://a"}, {"id", "x"}}, "id = \"x\"\ncore = \"https://a\"\n"},
      Row{"# mine\ncore = \"https://old\"   # here\nid = \"y\"\n",
          {{"core", "https://new"}},
          "# mine\ncore = \"https://new\"\nid = \"y\"\n"},
      Row{"# core = \"https://example\"\n[tls]\nca_file = \"/a\"\n",
          {{"core", "https://new"}},
          "core = \"https://new\"\n# core = \"https://example\"\n[tls]\nca_file = \"/a\"\n"},
      Row{"[tls]\nca_file = \"/a\"\n[log]\nlevel = \"info\"\n",
          {{"tls.ca_file", "/b"}, {"log.format", "json"}},
          "[tls]\nca_file = \"/b\"\n[log]\nformat = \"json\"\nlevel = \"info\"\n"},
      Row{"[dispatch]\ncore = 1\n",
          {{"core", "https://a"}},
          "core = \"https://a\"\n[dispatch]\ncore = 1\n"},
      Row{"id = \"x\"",
          {{"dispatch.concurrency", "3"}},
          "id = \"x\"\n\n[dispatch]\nconcurrency = 3\n"},
      Row{"", {{"offline.cache", "true"}}, "\n[offline]\ncache = true\n"},
      Row{"",
          {{"proxy.bypass", "a.example,10.0.0.0/8"}},
          "\n[proxy]\nbypass = [\"a.example\", \"10.0.0.0/8\"]\n"},
      Row{"", {{"id", "a\"b\\c"}}, "id = \"a\\\"b\\\\c\"\n"},
      Row{"  [tls]  # mine\n", {{"tls.ca_file", "/a"}}, "  [tls]  # mine\nca_file = \"/a\"\n"});
  INFO(row.before);
  CHECK(with_settings(row.before, row.values) == row.after);
  // What was written is what is read.
  const auto again = with_settings(row.after, row.values);
  CHECK(again == row.after);
}

TEST_CASE("what enrol writes is read back as it was meant") {
  const std::string text = with_settings(
      "", {{"core", "https://a"}, {"id", "a\"b"}, {"tls.ca_file", "/x y"}, {"stop.drain", "7"}});
  const auto values = parse_toml_settings(text, "s.toml");
  REQUIRE(values);
  CHECK(values->at("id").text == "a\"b");
  CHECK(values->at("tls.ca_file").text == "/x y");
  CHECK(values->at("stop.drain").text == "7");
}
