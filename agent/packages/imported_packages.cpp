#include "agent/packages/imported_packages.hpp"

#include <algorithm>
#include <array>
#include <cstddef>

namespace satellite::agent {
namespace {

constexpr std::array<std::string_view, 46> built_in{"assert",
                                                    "async_hooks",
                                                    "buffer",
                                                    "bun",
                                                    "child_process",
                                                    "cluster",
                                                    "console",
                                                    "constants",
                                                    "crypto",
                                                    "dgram",
                                                    "diagnostics_channel",
                                                    "dns",
                                                    "domain",
                                                    "events",
                                                    "fs",
                                                    "http",
                                                    "http2",
                                                    "https",
                                                    "inspector",
                                                    "module",
                                                    "net",
                                                    "os",
                                                    "path",
                                                    "perf_hooks",
                                                    "process",
                                                    "punycode",
                                                    "querystring",
                                                    "readline",
                                                    "repl",
                                                    "stream",
                                                    "string_decoder",
                                                    "sys",
                                                    "timers",
                                                    "tls",
                                                    "trace_events",
                                                    "tty",
                                                    "url",
                                                    "util",
                                                    "v8",
                                                    "vm",
                                                    "wasi",
                                                    "worker_threads",
                                                    "zlib",
                                                    "sqlite",
                                                    "test",
                                                    "ffi"};

constexpr std::array<std::string_view, 12> not_of_packages{"./",
                                                           "../",
                                                           "/",
                                                           "node:",
                                                           "bun:",
                                                           "file:",
                                                           "data:",
                                                           "http:",
                                                           "https:",
                                                           "blob:",
                                                           "@checkstack/sdk/",
                                                           "#"};

bool is_name_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '$' || static_cast<unsigned char>(c) >= 0x80;
}

bool names_package(std::string_view specifier) {
  if (specifier.empty() || specifier == "." || specifier == "..") return false;
  const bool is_elsewhere =
      std::any_of(not_of_packages.begin(), not_of_packages.end(),
                  [specifier](std::string_view start) { return specifier.starts_with(start); });
  if (is_elsewhere) return false;
  const std::string_view first = specifier.substr(0, specifier.find('/'));
  return std::find(built_in.begin(), built_in.end(), first) == built_in.end();
}

/// Takes white space and comments off the front.
void skip_blanks(std::string_view& text) {
  while (!text.empty()) {
    if (text.front() == ' ' || text.front() == '\t' || text.front() == '\n' ||
        text.front() == '\r') {
      text.remove_prefix(1);
    } else if (text.starts_with("//")) {
      text.remove_prefix(std::min(text.find('\n'), text.size()));
    } else if (text.starts_with("/*")) {
      const std::size_t end = text.find("*/", 2);
      text.remove_prefix(end == std::string_view::npos ? text.size() : end + 2);
    } else {
      return;
    }
  }
}

/// What follows one of the words that import.
bool imports_after(std::string_view word, std::string_view rest) {
  skip_blanks(rest);
  const bool is_call = !rest.empty() && rest.front() == '(' && word != "from";
  if (is_call) {
    rest.remove_prefix(1);
    skip_blanks(rest);
  }
  const bool is_quoted =
      !rest.empty() && (rest.front() == '"' || rest.front() == '\'' || rest.front() == '`');
  // A call with anything else computes its name; other words after `import` lead to a `from`.
  if (!is_quoted) return is_call;
  const std::size_t end = rest.find(rest.front(), 1);
  if (end == std::string_view::npos) return true;
  const std::string_view specifier = rest.substr(1, end - 1);
  const bool is_plain = specifier.find('\\') == std::string_view::npos &&
                        specifier.find("${") == std::string_view::npos;
  return !is_plain || names_package(specifier);
}

}  // namespace

bool imports_packages(std::string_view script) {
  for (const std::string_view word : {std::string_view("import"), std::string_view("from"),
                                      std::string_view("require"), std::string_view("resolve")}) {
    for (std::size_t at = script.find(word); at != std::string_view::npos;
         at = script.find(word, at + 1)) {
      const std::size_t end = at + word.size();
      const bool is_word = (at == 0 || !is_name_character(script[at - 1])) &&
                           (end == script.size() || !is_name_character(script[end]));
      if (!is_word) continue;
      // Many things have a `resolve`; only one with the name of a package counts.
      std::string_view rest = script.substr(end);
      if (word == "resolve") {
        skip_blanks(rest);
        if (!rest.starts_with("(\"") && !rest.starts_with("('")) continue;
      }
      if (imports_after(word, rest)) return true;
    }
  }
  return false;
}

}  // namespace satellite::agent
