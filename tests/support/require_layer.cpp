#include "tests/support/require_layer.hpp"

#include <catch2/catch.hpp>
#include <cstdlib>
#include <iostream>
#include <set>
#include <string>

namespace satellite::tests {
namespace {

std::set<std::string> skipped;  // a test with generators comes by more than once

}  // namespace

bool must_work(std::string_view layer) {
  const char* const named = std::getenv("MUST_WORK");
  std::string_view rest = named == nullptr ? "" : named;
  while (!rest.empty()) {
    const auto word = rest.substr(0, rest.find(','));
    rest.remove_prefix(std::min(rest.size(), word.size() + 1));
    if (word == layer) return true;
  }
  return false;
}

bool require_layer(std::string_view layer, bool available, std::string_view reason) {
  if (available) return true;
  const std::string test = Catch::getResultCapture().getCurrentTestName();
  std::cout << "SKIPPED \"" << test << "\": no " << layer << ": " << reason << std::endl;
  skipped.insert(test);
  if (must_work(layer)) FAIL("MUST_WORK names " << layer << ", but: " << reason);
  return false;
}

bool require_part(std::string_view layer, bool available, std::string_view reason) {
  if (available) return true;
  std::cout << "SKIPPED in \"" << Catch::getResultCapture().getCurrentTestName()
            << "\": the part for " << layer << ": " << reason << std::endl;
  if (must_work(layer)) FAIL("MUST_WORK names " << layer << ", but: " << reason);
  return false;
}

int skipped_tests() {
  return static_cast<int>(skipped.size());
}

}  // namespace satellite::tests
