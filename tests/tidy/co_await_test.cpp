#include "tests/tidy/source_tree.hpp"

#include <catch2/catch.hpp>
#include <regex>

using satellite::tests::source_files;
using satellite::tests::SourceFile;
using satellite::tests::without_comment;

namespace {

/// The forms g++ 12 miscompiles: a condition that awaits, an argument list that makes an aggregate
/// or a capturing lambda inside the awaiting expression.
bool is_broken_on_gcc12(const std::string& code) {
  static const std::regex condition("(if|while|switch|for) *\\(.*co_await");
  static const std::regex brace_argument("co_await [A-Za-z_:.>\\-]+\\([^)]*\\{");
  static const std::regex lambda_argument("co_await .*\\[[^\\]]+\\] *(\\(|\\{)");
  return std::regex_search(code, condition) || std::regex_search(code, brace_argument) ||
         std::regex_search(code, lambda_argument);
}

}  // namespace

TEST_CASE("the co_await rule finds what it must find") {
  CHECK(is_broken_on_gcc12("if (co_await ready()) return;"));
  CHECK(is_broken_on_gcc12("co_await use(Options{1});"));
  CHECK(is_broken_on_gcc12("co_await use([x]() { return x; });"));
  CHECK_FALSE(is_broken_on_gcc12("const auto done = co_await use(std::move(options));"));
}

TEST_CASE("co_await is a statement or one initialiser, with plain arguments") {
  for (const SourceFile& file : source_files({"protocol", "sandbox", "tls", "agent", "tests"})) {
    if (file.path == "tests/tidy/co_await_test.cpp") continue;
    for (std::size_t i = 0; i < file.lines.size(); ++i) {
      if (file.lines[i].find("co_await") == std::string::npos) continue;
      INFO(file.path << ":" << i + 1 << ": " << file.lines[i]);
      CHECK_FALSE(is_broken_on_gcc12(without_comment(file.lines[i])));
    }
  }
}
