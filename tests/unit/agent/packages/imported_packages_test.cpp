#include "agent/packages/imported_packages.hpp"

#include <catch2/catch.hpp>
#include <string>

using satellite::agent::imports_packages;

TEST_CASE("scripts that import a package are found, in every way to import one") {
  for (const char* script :
       {"import x from 'lodash'", "import'lodash'", "import * as a from \"@scope/a\";",
        "export { x } from 'a/b/c'", "const a = require('got')", "require (  /* why */ `got`)",
        "await import('got')", "await import(name)", "require(name + '.js')",
        "import {\n a,\n b\n} from\n 'ws'", "import x /* c */ from // d\n 'ws'",
        "import.meta.resolve('ws')", "await import(`${name}`)", "import t from 'fs-extra'"}) {
    INFO(script);
    CHECK(imports_packages(script));
  }
}

TEST_CASE("scripts that import files, built-in modules, the platform's words or nothing do not") {
  for (const char* script :
       {"", "export default 1", "import fs from 'node:fs'", "import fs from \"fs/promises\"",
        "import { $ } from 'bun'", "import t from 'bun:test'", "import a from './a.mjs'",
        "import a from '../a.mjs'", "import a from '/a.mjs'", "import.meta.url",
        "import { defineHealthCheck } from '@checkstack/sdk/healthcheck'", "important('x')",
        "Array.from('abc')", "const from = 1", "Promise.resolve(5)", "path.resolve(a)",
        "requires('x')", "import u from 'https://example.org/x.mjs'"}) {
    INFO(script);
    CHECK_FALSE(imports_packages(script));
  }
}
