#include "sandbox/hints/script_topics.hpp"

#include <catch2/catch.hpp>
#include <string>

using namespace satellite::sandbox;

namespace {

std::string words_of(std::string_view script, ScriptKind kind) {
  std::string words;
  for (const auto& mention : topics_of_script(script, kind)) words += mention.word + " ";
  if (!words.empty()) words.pop_back();
  return words;
}

}  // namespace

TEST_CASE("a shell script asks the host by its commands and by paths") {
  const auto [text, words] = GENERATE(table<std::string, std::string>({
      {"df -h / | tail -1", "df"},
      {"/usr/lib/nagios/plugins/check_disk -w 10% -c 5% -p /", "check_disk"},
      {"exec '/usr/lib/nagios/plugins/check_procs' -C sshd", "check_procs"},
      {"DF=${DF:-df}\n$DF -P", "df"},
      {"PS=/bin/ps", "ps"},
      {"if kill -0 $pid; then echo up; fi", "kill -0"},
      {"curl -fsS http://127.0.0.1:8080/health", "curl"},
      {"nc -z localhost 5432", "nc"},
      {"redis-cli -h 127.0.0.1 ping", "redis-cli"},
      {"grep -c error /var/log/syslog", "/var/log/"},
      {"cat /sys/class/thermal/thermal_zone0/temp", "/sys/class/"},
      {"systemctl is-active nginx; ss -ltn; who; dpkg -l", "dpkg systemctl who ss"},
      {"lsof -i :80", "lsof"},
      {"for p in /proc/[0-9]*; do :; done", "/proc/[0-9]"},
      {"fping -c1 10.0.0.1", "fping"},
      {"smartctl -H /dev/sda", "smartctl"},
  }));
  INFO(text);
  CHECK(words_of(text, ScriptKind::shell) == words);
}

TEST_CASE("a script that only sounds like it asks nothing") {
  const auto text = GENERATE(
      as<std::string>{}, "echo df is full", "echo \"service nginx is down\"", "TYPE=service",
      "# df -h\necho ok", "last=$(date)", "users=5; echo $users",
      "curl https://example.com/localhost", "printf '%s\\n' 'ps ax'", "ssh host 'df -h'",
      "cat <<EOF\nps: processes\nEOF\n", "case $1 in last) echo x;; esac", "w=1; c=2; echo $w $c",
      "awk '{ print $1 }' /proc/loadavg", "free -m; uptime; cat /proc/meminfo",
      "find /usr -name df", "top_level=1", "ip=10.0.0.1", "my/var/log/file",
      "curl -s http://10.0.0.1:8080/", "test -x /usr/bin/df");
  INFO(text);
  CHECK(words_of(text, ScriptKind::shell).empty());
}

TEST_CASE("in other languages commands stand in calls, back quotes and absolute paths") {
  CHECK(words_of("my $x = `df -k`;", ScriptKind::quoting) == "df");
  CHECK(words_of("my $x = qx{ps ax};", ScriptKind::quoting) == "ps");
  CHECK(words_of("open(F, \"df -P|\");", ScriptKind::quoting) == "df");
  CHECK(words_of("open(my $f, '-|', 'ps', 'ax');", ScriptKind::quoting) == "ps");
  CHECK(words_of("system(\"who\");", ScriptKind::quoting) == "who");
  CHECK(words_of("subprocess.run(['df', '-h'])", ScriptKind::scripting) == "df");
  CHECK(words_of("os.popen(\"ps ax\")", ScriptKind::scripting) == "ps");
  CHECK(words_of("execSync('systemctl is-active x')", ScriptKind::scripting) == "systemctl");
  CHECK(words_of("PATH_DF = '/usr/bin/df'", ScriptKind::scripting) == "df");
  CHECK(words_of("shutil.disk_usage('/')", ScriptKind::scripting) == "disk_usage");
  CHECK(words_of("open('/var/log/syslog')", ScriptKind::scripting) == "/var/log/");
}

TEST_CASE("in other languages words, comments and documentation are no commands") {
  const auto [text, kind] = GENERATE(table<std::string, ScriptKind>({
      {"last; next if $x; print 'df';", ScriptKind::quoting},
      {"=pod\n\n `df -h`\n\n=cut\nprint 1;", ScriptKind::quoting},
      {"# `df -h`\nprint 1;", ScriptKind::quoting},
      {"open(F, 'w');", ScriptKind::quoting},
      {"filesystem = 'df'", ScriptKind::scripting},
      {"# subprocess.run(['df'])\n", ScriptKind::scripting},
      {"x = {'w': 1, 'ps': 2}", ScriptKind::scripting},
      {"// execSync('df')\nreturn `${df}`;", ScriptKind::scripting},
      {"const t = `ps`;", ScriptKind::scripting},
  }));
  INFO(text);
  CHECK(words_of(text, kind).empty());
}
