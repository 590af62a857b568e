#include "sandbox/state/packed_state.hpp"

#include <catch2/catch.hpp>
#include <utility>

using namespace satellite;
using namespace satellite::sandbox;

namespace {

constexpr ByteCount packed_size_max{1'000};

StateEntry directory_at(std::string_view path) {
  return {StateEntry::Kind::directory, path, 0755, 0, 0, {}};
}

StateEntry file_at(std::string_view path, std::string_view content = "x") {
  return {StateEntry::Kind::file, path, 0640, 1'700'000'000, 5, content};
}

std::string packed(const std::vector<StateEntry>& entries) {
  std::string bytes = packed_state_head();
  for (const auto& entry : entries) {
    bytes += packed_entry_head(entry, entry.content.size());
    bytes += entry.content;
  }
  return bytes + packed_state_end();
}

ErrorCode code_of(const std::string& bytes) {
  const auto read = read_packed_state(bytes, packed_size_max);
  REQUIRE_FALSE(read);
  return read.error().code;
}

}  // namespace

TEST_CASE("a packed state is read as it was written, and no bytes are a state of nothing") {
  const std::vector<StateEntry> entries{directory_at("a"), file_at("a/b", "content"),
                                        directory_at("a/c"), file_at("a/c/d", ""),
                                        file_at("a-b", std::string_view("\0\n", 2))};
  const std::string bytes = packed(entries);
  const auto read = read_packed_state(bytes, packed_size_max);
  REQUIRE(read);
  CHECK(*read == entries);
  CHECK(read_packed_state("", packed_size_max)->empty());
  CHECK(read_packed_state(packed({}), packed_size_max)->empty());
}

TEST_CASE("what no packer writes is refused") {
  const auto bytes =
      GENERATE(packed({file_at("a/b")}), packed({file_at("a"), file_at("a/b")}),
               packed({directory_at("a"), file_at("a/../b")}), packed({file_at("/a")}),
               packed({file_at("..")}), packed({file_at(".")}), packed({file_at("a//b")}),
               packed({file_at("")}), packed({file_at(std::string_view("a\0b", 3))}),
               packed({file_at("b"), file_at("a")}), packed({file_at("a"), file_at("a")}),
               packed({directory_at("a"), directory_at("b"), file_at("a/c")}),
               packed({{StateEntry::Kind::file, "a", 04755, 0, 0, {}}}),
               packed({{StateEntry::Kind::file, "a", 0644, 0, 1'000'000'000, {}}}),
               packed({file_at("a")}) + "x", packed_state_head(), std::string("CSTS"),
               std::string("something else"));
  CHECK(code_of(bytes) == ErrorCode::invalid_input);
}

TEST_CASE("every beginning of a packed state is refused") {
  const std::string whole = packed({directory_at("a"), file_at("a/b", "content")});
  for (std::size_t size = 1; size < whole.size(); ++size) {
    INFO(size);
    CHECK(code_of(whole.substr(0, size)) == ErrorCode::invalid_input);
  }
}

TEST_CASE("size, number, depth and names of a state are bounded") {
  const std::string content(500, 'x');
  REQUIRE(
      read_packed_state(packed({file_at("a", content), file_at("b", content)}), packed_size_max));
  CHECK(code_of(packed({file_at("a", content), file_at("b", content), file_at("c")})) ==
        ErrorCode::limit_exceeded);

  std::vector<std::string> names;
  for (std::size_t i = 0; i <= state_entries_max; ++i) names.push_back(std::to_string(100'000 + i));
  std::vector<StateEntry> many;
  many.reserve(names.size());
  for (const auto& name : names) many.push_back(file_at(name, ""));
  CHECK(code_of(packed(many)) == ErrorCode::limit_exceeded);
  many.pop_back();
  REQUIRE(read_packed_state(packed(many), packed_size_max));

  std::vector<std::string> paths{"d"};
  while (paths.size() <= state_depth_max) paths.push_back(paths.back() + "/d");
  std::vector<StateEntry> deep;
  deep.reserve(paths.size());
  for (const auto& path : paths) deep.push_back(directory_at(path));
  CHECK(code_of(packed(deep)) == ErrorCode::limit_exceeded);
  deep.pop_back();
  REQUIRE(read_packed_state(packed(deep), packed_size_max));

  const std::string longest(255, 'n'), longer(256, 'n');
  REQUIRE(read_packed_state(packed({file_at(longest)}), packed_size_max));
  CHECK(code_of(packed({file_at(longer)})) == ErrorCode::invalid_input);
}

TEST_CASE("the order of entries is that of directories that are listed with what lies in them") {
  for (const auto& [first, second] :
       {std::pair{"a", "b"}, {"a", "a/b"}, {"a/b", "a-b"}, {"a/b/c", "a/b-c"}, {"a", "a\x01"}}) {
    INFO(first << " " << second);
    CHECK(is_before(first, second));
    CHECK_FALSE(is_before(second, first));
  }
  CHECK_FALSE(is_before("a", "a"));
}
