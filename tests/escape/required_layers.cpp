#include "tests/escape/required_layers.hpp"

#include <cstdlib>
#include <string>

namespace satellite::tests {

bool must_work(std::string_view layer) {
  const char* const text = std::getenv("MUST_WORK");
  if (text == nullptr) return false;
  const std::string all = "," + std::string(text) + ",";
  return all.find("," + std::string(layer) + ",") != std::string::npos;
}

}  // namespace satellite::tests
