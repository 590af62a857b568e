#include "protocol/vocabulary/utf8.hpp"

#include "sandbox/capture/utf8_chunks.hpp"

#include <catch2/catch.hpp>
#include <random>

using namespace satellite;
using namespace satellite::sandbox;

TEST_CASE("valid UTF-8 is recognised to the byte") {
  using Row = std::tuple<std::string, std::size_t>;
  const auto [bytes, expected] = GENERATE(table<std::string, std::size_t>({
      Row{"", 0},
      Row{"abc", 3},
      Row{"aé€😀", 10},
      Row{std::string(100, 'x') + "\xFF", 100},
      Row{"\xC0\x80", 0},          // overlong
      Row{"\xE0\x80\x80", 0},      // overlong
      Row{"\xED\xA0\x80", 0},      // surrogate
      Row{"\xF4\x90\x80\x80", 0},  // above U+10FFFF
      Row{"\xF5\x80\x80\x80", 0},
      Row{"ok\xE2\x82", 2},  // cut
      Row{"ok\x80", 2},      // lone continuation
      Row{"\xEF\xBF\xBF", 3},
      Row{"\xF4\x8F\xBF\xBF", 4},
  }));
  CHECK(valid_utf8_prefix(bytes) == expected);
}

TEST_CASE("a prefix never ends inside a code point") {
  const std::string text = "aé€😀";
  const std::size_t sizes[] = {0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10, 10};
  for (std::size_t size = 0; size < std::size(sizes); ++size) {
    CHECK(cut_on_code_point(text, size).size() == sizes[size]);
  }
  // What is no code point anyway may be cut anywhere.
  CHECK(cut_on_code_point("\xFF\xFF\xFF", 2).size() == 2);
}

namespace {

struct Collected {
  std::string bytes;
  std::size_t text_chunks = 0, binary_chunks = 0, largest = 0;
};

Collected chunked(const std::string& input, std::size_t chunk_size_max,
                  const std::vector<std::size_t>& cuts,
                  Utf8Chunks::Tail tail = Utf8Chunks::Tail::keep) {
  Utf8Chunks chunks(ByteCount{chunk_size_max});
  Collected collected;
  const auto drain = [&] {
    while (const auto chunk = chunks.next()) {
      REQUIRE_FALSE(chunk->bytes.empty());
      REQUIRE(chunk->is_text == is_valid_utf8(chunk->bytes));
      ++(chunk->is_text ? collected.text_chunks : collected.binary_chunks);
      collected.largest = std::max(collected.largest, chunk->bytes.size());
      collected.bytes += chunk->bytes;
    }
  };
  std::size_t from = 0;
  for (const std::size_t cut : cuts) {
    // A copy that ends with the read, as a reused read buffer does.
    const std::string read = input.substr(from, cut - from);
    chunks.add(read);
    drain();
    from = cut;
  }
  chunks.finish(tail);
  drain();
  return collected;
}

}  // namespace

TEST_CASE("text that is cut by reads arrives as text, whole and in order") {
  std::string input;
  for (int i = 0; i < 300; ++i) input += "aé€😀";
  for (std::size_t step : {1U, 2U, 3U, 5U, 7U, 64U, 1000U}) {
    std::vector<std::size_t> cuts;
    for (std::size_t at = step; at < input.size(); at += step) cuts.push_back(at);
    cuts.push_back(input.size());
    const auto collected = chunked(input, 128, cuts);
    CAPTURE(step);
    CHECK(collected.bytes == input);
    CHECK(collected.binary_chunks == 0);
    CHECK(collected.largest <= 128);
  }
}

TEST_CASE("binary output goes through unchanged in few chunks") {
  std::mt19937 random(1);
  std::string input(100'000, '\0');
  for (auto& c : input) c = static_cast<char>(random());
  const auto collected = chunked(input, 32'768, {input.size()});
  CHECK(collected.bytes == input);
  CHECK(collected.binary_chunks + collected.text_chunks <= 5);
}

TEST_CASE("property: any bytes cut anywhere come out the same and are marked right") {
  const unsigned seed = 7;
  CAPTURE(seed);
  std::mt19937 random(seed);
  const std::string pieces[] = {"plain ", "é", "€", "😀", "\xFF", "\xE2\x82", "\x80", "\xF0\x9F"};
  for (int round = 0; round < 2'000; ++round) {
    std::string input;
    const auto count = random() % 60;
    for (std::size_t i = 0; i < count; ++i) input += pieces[random() % std::size(pieces)];
    std::vector<std::size_t> cuts;
    for (std::size_t at = 0; at < input.size();) {
      at = std::min<std::size_t>(input.size(), at + 1 + random() % 20);
      cuts.push_back(at);
    }
    const auto collected = chunked(input, 4 + random() % 30, cuts);
    REQUIRE(collected.bytes == input);
  }
}

TEST_CASE("a code point that the output cap cut in two is discarded at the end") {
  Utf8Chunks chunks(ByteCount{64});
  chunks.add("ab\xE2\x82");
  CHECK(chunks.next()->bytes == "ab");
  CHECK_FALSE(chunks.next());
  CHECK(chunks.finish(Utf8Chunks::Tail::discard) == ByteCount{2});
  CHECK_FALSE(chunks.next());
}

TEST_CASE("a code point that the script itself left unfinished is delivered as it is") {
  const auto collected = chunked("ab\xE2\x82", 64, {4});
  CHECK(collected.bytes == "ab\xE2\x82");
  CHECK(collected.binary_chunks == 1);
}

TEST_CASE("short output is not held back") {
  Utf8Chunks chunks(ByteCount{32'768});
  chunks.add("one line\n");
  const auto chunk = chunks.next();
  REQUIRE(chunk);
  CHECK(chunk->bytes == "one line\n");
}
