#include "sandbox/module/user_script.hpp"

#include <catch2/catch.hpp>

using namespace satellite::sandbox;

namespace {

std::string wrapped(const std::string& body) {
  return "export default await (async () => {\n" + body + "\n})();\n";
}

}  // namespace

TEST_CASE("a line that begins with import or export makes a text a module") {
  const std::string script = GENERATE(
      "import x from 'y'", "export\ndefault 1", "return 1;\n  import x", "\u00A0\t export {}",
      "a\u2028export default 1", "a\r import 'x'", "import\u3000'x'", "\uFEFFimport 'x'");
  CHECK(module_from(script) == script);
}

TEST_CASE("any other text is the body of a function") {
  const std::string script =
      GENERATE("", "return 1", "import('x')", "// export default 1", "exports.a = 1", "x import y",
               "export", "importer 'x'", "\u00C9export x");
  CHECK(module_from(script) == wrapped(script));
}

TEST_CASE("static imports of a module lead to another one") {
  const auto at = [](const std::string& script) { return with_import_from(script, "@s/h", "U"); };
  CHECK(at("import { d } from '@s/h';") == "import { d } from 'U';");
  CHECK(at("export * from\n\t\"@s/h\"") == "export * from\n\t\"U\"");
  CHECK(at("import \"@s/h\";\nimport '@s/h'") == "import \"U\";\nimport 'U'");
  CHECK(at("import d from\u00A0'@s/h'") == "import d from\u00A0'U'");
}

TEST_CASE("what is no static import of that module stays as it is") {
  const std::string script =
      GENERATE("import('@s/h')", "import {d} from \"@s/h'", "import d from'@s/h'",
               "import d from '@s/h/more'", "import d from 'x@s/h'", "const s = '@s/h'", "@s/h",
               "'@s/h'", "from '@s/h");
  CHECK(with_import_from(script, "@s/h", "U") == script);
}
