#include "tests/fuzz/targets.hpp"

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <tuple>

using namespace satellite;

namespace {

std::string content_of(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream content;
  content << file.rdbuf();
  return content.str();
}

}  // namespace

TEST_CASE("every input that a fuzzer keeps still holds") {
  using Check = std::optional<std::string> (*)(std::string_view);
  const auto [folder, check] = GENERATE(table<std::string, Check>({
      {"bounded_json", fuzz::check_bounded_json_target},
      {"decode", fuzz::check_decode_target},
      {"output", fuzz::check_output_target},
      {"run_stream", fuzz::check_run_stream_target},
  }));
  std::size_t files = 0;
  for (const auto& entry :
       std::filesystem::directory_iterator(std::filesystem::path(SATELLITE_FUZZ_CORPUS) / folder)) {
    const auto broken = check(content_of(entry.path()));
    INFO(entry.path() << ": " << broken.value_or(""));
    CHECK_FALSE(broken.has_value());
    ++files;
  }
  CHECK(files >= 3);
}
