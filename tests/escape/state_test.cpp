// A of the list, by way of what a check keeps: what a script leaves there is read by a process of
// ours after its end, and written again before its next run.
#include "tests/escape/escape_bench.hpp"
#include "tests/support/state_keeper.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <string>

using namespace satellite;
using namespace satellite::sandbox;
using namespace satellite::tests;

namespace {

struct Left {
  std::string words, because;
};

class KeepingBench : public ScriptBench {
 public:
  explicit KeepingBench(Engine used) : ScriptBench(used), engine(used) {
    settings.host_view.state_bytes = StateKeeper::size_max.value;
  }
  Ran run_kept(StateKeeper& keeper, const std::string& text) {
    return keeper.run(*this, script("cd \"$CHECKSTACK_STATE_DIRECTORY\" || exit 9; " + text),
                      policy_for(engine));
  }

  const Engine engine;
};

std::string number(std::uint64_t value, std::size_t size) {
  std::string bytes;
  for (; size > 0; --size, value >>= 8U) bytes += static_cast<char>(value & 0xFFU);
  return bytes;
}

/// A file or directory in a packed state, as a liar writes it.
std::string forged(int kind, const std::string& path, unsigned mode) {
  std::string bytes =
      number(static_cast<std::uint64_t>(kind), 1) + number(mode, 2) + number(path.size(), 2) + path;
  if (kind == 2) bytes += number(0, 8) + number(0, 4) + number(1, 8) + "x";
  return bytes;
}

/// What a script leaves is refused with its reason, and the state of before stays. Gives its exit
/// code.
int check_refused(KeepingBench& bench, StateKeeper& keeper, const Left& left) {
  REQUIRE(bench.run_kept(keeper, "echo old > kept").result.has_new_state);
  const std::string before = keeper.packed;
  const Ran ran = bench.run_kept(keeper, left.words);
  const std::string notes = state_notes_of(ran.result);
  INFO(name_of(bench.engine) << ": " << left.words << ": " << notes << ran.standard_error);
  CHECK(ran.result.outcome == Outcome::exited);
  CHECK_FALSE(ran.result.has_new_state);
  CHECK(notes.find("not kept") != std::string::npos);
  CHECK(notes.find(left.because) != std::string::npos);
  CHECK(keeper.packed == before);
  return ran.result.exit_code;
}

}  // namespace

TEST_CASE("what is no file or directory of a script's own is never kept, nor followed", "[state]") {
  const auto left = GENERATE(
      Left{"ln -s /etc/passwd link", "symbolic link"}, Left{"ln -s . link", "symbolic link"},
      Left{"mkdir d; ln -s ../../../proc/1/root d/link", "symbolic link"},
      Left{"echo x > f; ln f second", "second name"}, Left{"mkfifo pipe", "named pipe"},
      Left{"python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind(\"sock\")'", "socket"},
      Left{"mkdir d; chmod 1777 d", "mode"}, Left{"echo x > f; chmod 0 f", "may not be read"},
      Left{"mkdir d; chmod 0 d", "may not be read"}, Left{"chmod 0 .", "Permission denied"});
  KeepingBench bench(each_present_engine());
  StateKeeper keeper;
  CHECK(check_refused(bench, keeper, left) == 0);
  // Positive control: without it the same is kept.
  CHECK(bench.run_kept(keeper, "cat kept; echo x > f; mkdir d").result.has_new_state);
}

TEST_CASE("trees without end are bounded: files, depth, names, holes", "[state]") {
  const auto left = GENERATE(
      Left{"mkdir $(seq 1000) 2>/dev/null; truncate -s 200M hole", "more than 1048576 bytes"},
      Left{"d=.; for n in $(seq 1 9); do d=$d/d; done; mkdir -p $d", "deeper than 8"},
      Left{"python3 -c \"\nimport os\nfor n in range(400):\n  os.mkdir('d'); os.chdir('d')\"",
           "deeper than 8"},
      Left{"truncate -s 4000 $(seq 300)", "more than 1048576 bytes"});
  KeepingBench bench(each_present_engine());
  StateKeeper keeper;
  check_refused(bench, keeper, left);
}

TEST_CASE("more files than a state may have are refused, and as many as it may are kept",
          "[state]") {
  KeepingBench bench(each_present_engine());
  bench.settings.host_view.state_bytes = state_size_max.value;
  StateKeeper keeper;
  const auto make = [](int files) {
    return "python3 -c \"\nfor n in range(" + std::to_string(files) +
           "):\n  open('f%d' % n, 'w')\"";
  };
  const Ran many = bench.run_kept(keeper, make(2'001));
  INFO(name_of(bench.engine) << many.standard_error << state_notes_of(many.result));
  CHECK_FALSE(many.result.has_new_state);
  CHECK(state_notes_of(many.result).find("more than 2000") != std::string::npos);
  CHECK(bench.run_kept(keeper, make(2'000)).result.has_new_state);
  CHECK(bench.run_kept(keeper, "ls -A | wc -l").standard_output == "2000\n");
}

TEST_CASE("names of a script do nothing but name", "[state]") {
  KeepingBench bench(each_present_engine());
  StateKeeper keeper;
  const std::string names =
      "import os\nfor n in [b'\\n', b'\\x1b[2J', b'\\xff\\xfe', b'-rf', b'..x', b'n'*255, b'%s']:\n"
      "  open(n, 'wb').write(n)\n";
  const std::string look =
      "import os\nprint(sorted(os.listdir(b'.')) == sorted(n for n in "
      "os.listdir(b'.') if open(n, 'rb').read() == n), len(os.listdir('.')))";
  const Ran first = bench.run_kept(keeper, "python3 -c \"" + names + "\"");
  INFO(first.standard_error << state_notes_of(first.result));
  CHECK(first.result.has_new_state);
  CHECK(bench.run_kept(keeper, "python3 -c \"" + look + "\"").standard_output == "True 7\n");
  // In a text for people they are only text.
  const Ran refused = bench.run_kept(keeper, "ln -s x \"$(printf 'a\\nb\\033[2Jc')\"");
  CHECK_FALSE(refused.result.has_new_state);
  const auto notes = state_notes_of(refused.result);
  CHECK(notes.find('\033') == std::string::npos);
  CHECK(std::count(notes.begin(), notes.end(), '\n') == 1);
}

TEST_CASE("processes that a script leaves change nothing while it is packed", "[state]") {
  KeepingBench bench(each_present_engine());
  StateKeeper keeper;
  const Ran ran = bench.run_kept(
      keeper,
      "for p in 1 2 3; do (trap '' TERM; setsid sh -c 'while :; do for n in 1 2 3 4 5; do echo $n "
      "> "
      "f$n; mkdir d$n 2>/dev/null; mv d$n e$n 2>/dev/null; rm -f f$n; rmdir e$n 2>/dev/null; done; "
      "done' >/dev/null 2>&1 &) ; done; sleep 0.3; echo end > end; exit 0");
  INFO(name_of(bench.engine) << state_notes_of(ran.result));
  CHECK(ran.result.outcome == Outcome::exited);
  CHECK(ran.result.has_new_state);
  const auto entries = read_packed_state(keeper.packed, StateKeeper::size_max);
  REQUIRE(entries);
  CHECK(bench.run_kept(keeper, "cat end").standard_output == "end\n");
}

TEST_CASE("the state directory itself cannot be replaced, covered or carried away", "[state]") {
  KeepingBench bench(each_present_engine());
  StateKeeper keeper;
  const Ran ran = bench.run_kept(
      keeper,
      "cd /; rmdir .state 2>/dev/null && echo removed; mv .state /tmp 2>/dev/null && echo "
      "moved; mv .state .other 2>/dev/null && echo renamed; ln -sfn /etc .state/link; rm "
      ".state/link; echo kept > .state/f; echo end");
  CHECK(ran.standard_output == "end\n");
  CHECK(ran.result.has_new_state);
  CHECK(bench.run_kept(keeper, "cat f").standard_output == "kept\n");
}

TEST_CASE("no packed bytes write beside the directory, or anything but files", "[state]") {
  const auto bytes = GENERATE(
      forged(2, "../escaped", 0644), forged(2, "/tmp/escaped", 0644), forged(2, "a/../../b", 0644),
      forged(2, "f", 04755), forged(3, "f", 0644), forged(2, "d/f", 0644), forged(2, "..", 0644),
      forged(2, "f", 0644) + forged(2, "f/g", 0644), forged(2, std::string("a\0b", 3), 0644));
  KeepingBench bench(each_present_engine());
  StateKeeper keeper{packed_state_head() + bytes + packed_state_end()};
  const Ran ran = bench.run_kept(keeper, "find . /tmp -mindepth 1 -not -path '/tmp/csat-*' | sort");
  INFO(name_of(bench.engine) << state_notes_of(ran.result));
  CHECK(ran.standard_output.find("escaped") == std::string::npos);
  CHECK(ran.standard_output.find("./") == std::string::npos);
  CHECK(state_notes_of(ran.result).find("began without") != std::string::npos);
  // Positive control.
  StateKeeper honest{packed_state_head() + forged(2, "f", 0644) + packed_state_end()};
  CHECK(bench.run_kept(honest, "cat f").standard_output == "x");
}
