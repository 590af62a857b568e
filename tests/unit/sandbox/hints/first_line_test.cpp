#include "sandbox/hints/first_line.hpp"

#include <catch2/catch.hpp>
#include <string>
#include <vector>

using namespace satellite::sandbox;
using Words = std::vector<std::string>;

TEST_CASE("the first line names an interpreter, with one argument at most") {
  CHECK(interpreter_of("#!/bin/sh\necho").command == Words{"/bin/sh"});
  CHECK(interpreter_of("#! /usr/bin/python3 -u -x \nx").command ==
        Words{"/usr/bin/python3", "-u -x"});
  CHECK(interpreter_of("#!/usr/bin/env bash\r\nx").command == Words{"bash"});
  CHECK(interpreter_of("#!/usr/bin/env -S python3 -u\nx").command == Words{"python3", "-u"});
  CHECK(interpreter_of("#!/usr/bin/python3.11\nx").name == "python");
  CHECK(interpreter_of("#!/bin/bash").name == "bash");
}

TEST_CASE("what is no such line names none") {
  for (const char* text : {"", "echo", "#", "#!", "#!\nx", "#!   \n", " #!/bin/sh",
                           "#!/usr/bin/env\n", "#!/usr/bin/env -i bash\n"}) {
    INFO(text);
    CHECK(interpreter_of(text).command.empty());
  }
  CHECK(interpreter_of("#!" + std::string(10'000, 'x')).command.front().size() < 256);
}

TEST_CASE("a hint is given where sh takes a script otherwise than its first line wants") {
  const auto [text, hints] = GENERATE(table<std::string, int>({
      {"#!/bin/bash\n[[ 1 == 2 ]] && exit 2\n", 1},
      {"#!/usr/bin/python3\nprint(1)\n", 1},
      {"#!/usr/bin/env perl\nprint 1;\n", 1},
      {"#!/bin/sh\r\necho\r\n", 1},
      {"\xEF\xBB\xBF#!/bin/sh\necho\n", 1},
      {"\xEF\xBB\xBF#!/usr/bin/python3\r\nprint(1)\r\n", 3},
      {"#!/bin/bash\nset -e\ndf -h\n", 0},
      {"#!/bin/sh\necho\n", 0},
      {"#!/bin/dash\necho\n", 0},
      {"echo 'a\n'", 0},
      {"df -h", 0},
  }));
  INFO(text);
  CHECK(first_line_hints(text, "dash").size() == static_cast<std::size_t>(hints));
}

TEST_CASE("bash asked for where sh is bash is no reason for a hint") {
  CHECK(first_line_hints("#!/bin/bash\n[[ 1 == 2 ]]\n", "bash").empty());
}

TEST_CASE("a hint repeats nothing of a first line that is not known") {
  const auto hints = first_line_hints("#!/opt/hunter2/hunter2\nx\n", "dash");
  REQUIRE(hints.size() == 1);
  CHECK(hints.front().find("hunter2") == std::string::npos);
}
