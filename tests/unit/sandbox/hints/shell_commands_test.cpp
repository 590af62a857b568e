#include "sandbox/hints/shell_commands.hpp"

#include <catch2/catch.hpp>
#include <string>

using namespace satellite::sandbox;

namespace {

/// The first word of each command.
std::string programs_of(std::string_view script) {
  std::string names;
  for (const auto& command : shell_commands(script)) names += command.words.front() + " ";
  if (!names.empty()) names.pop_back();
  return names;
}

}  // namespace

TEST_CASE("a command is what a shell would start") {
  const auto [text, programs] = GENERATE(table<std::string, std::string>({
      {"df -h", "df"},
      {"df; ps | grep x && who || w &", "df ps grep who w"},
      {"if ! pgrep x; then systemctl y; fi", "pgrep systemctl"},
      {"while true; do df; done", "true df"},
      {"A=1 B=2 df", "df"},
      {"sudo -n df", "df"},
      {"timeout -k 5 10 df /", "df"},
      {"env LANG=C ps ax", "ps"},
      {"exec /usr/bin/df", "/usr/bin/df"},
      {"x=$(df /)", "df x="},
      {"echo \"$(who)\"", "who echo"},
      {"echo `uptime`", "uptime echo"},
      {"(ps)", "ps"},
      {"{ ps; }", "ps"},
      {"sh -c 'df -P'", "sh df"},
      {"bash -ec \"ps ax\"", "bash ps"},
      {"eval \"df\"", "eval df"},
      {"cat <(ss -l)", "ss cat"},
      {"df \\\n -h", "df"},
      {"df >/dev/null 2>&1", "df"},
  }));
  INFO(text);
  CHECK(programs_of(text) == programs);
}

TEST_CASE("comments, texts, patterns, arithmetic and here-documents hold no commands") {
  const auto text = GENERATE(
      as<std::string>{}, "# df\n", "echo 'df; ps'", "echo \"df; ps\"", "echo a#b df",
      "case $1 in\n df|ps)\n echo x\n ;;\n who) echo y ;;\nesac", "cat <<EOF\ndf\nps\nEOF\n",
      "cat <<-'END'\n\tdf\n\tEND\n", "x=$((df - ps))", "((df = ps))", "df() { echo x; }",
      "a=(df ps who)", "command -v df", "awk '{ last; users }' f");
  INFO(text);
  for (const char* name : {"df", "ps", "who", "last", "users"}) {
    for (const auto& command : shell_commands(text)) CHECK(command.words.front() != name);
  }
}

TEST_CASE("what follows a text in quotes or a here-document is read again") {
  CHECK(programs_of("cat <<EOF\ndf\nEOF\nps") == "cat ps");
  CHECK(programs_of("awk '{\n df\n}' f; ps") == "awk ps");
  CHECK(programs_of("case $1 in a) df ;; esac") == "df esac");
}

TEST_CASE("no text is too strange to be read") {
  const auto text = GENERATE(as<std::string>{}, "'", "\"", "`", "$(", "${", "$((", "<<", "<<<",
                             "\\", "(", ")", "a=(", "))))", "$($($($(", "`\"`\"", "<<'");
  std::string many;
  for (int i = 0; i < 1'000; ++i) many += text;
  static_cast<void>(shell_commands(text));
  static_cast<void>(shell_commands(many));
  CHECK(shell_commands(std::string(5'000, ';') + "df").size() == 1);
}
