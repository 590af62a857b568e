// What masking costs, counted in steps and not in time, and that looking for all forms at once
// finds what looking for each of them does.
#include "sandbox/capture/form_match.hpp"
#include "sandbox/capture/form_search.hpp"
#include "sandbox/capture/masked_values.hpp"
#include "sandbox/capture/masker.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <random>

using namespace satellite::sandbox;
using satellite::Secret;

namespace {

std::string from(std::mt19937& random, const std::vector<std::string>& tokens, std::size_t size) {
  std::string text;
  while (text.size() < size) text += tokens[random() % tokens.size()];
  return text;
}

std::string repeated(const std::string& unit, std::size_t size) {
  std::string text;
  while (text.size() < size) text += unit;
  return text;
}

constexpr std::size_t secret_size = 64U << 10U;

/// Long secrets of the kinds that there are: a key, a configuration with deep indentation, any
/// bytes, and lines with every sign that introduces an escape.
std::string long_secret(const std::string& kind) {
  std::mt19937 random(5);
  std::string secret;
  while (secret.size() < secret_size) {
    if (kind == "key") {
      secret += "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"[random() % 64];
      if (secret.size() % 65 == 64) secret += '\n';
    } else if (kind == "indented") {
      secret += std::string(4 * (1 + random() % 6), ' ') + "\"name-" + std::to_string(random()) +
                "\": \"" + std::to_string(random()) + "\",\n";
    } else if (kind == "signs") {
      secret += static_cast<char>(0x20 + random() % 0x5F);
    } else {
      secret += static_cast<char>(random() % 256);
    }
  }
  return secret;
}

std::size_t work_of(const SecretPatterns& patterns, const std::string& text) {
  Masker masker(patterns);
  masker.feed(text);
  masker.finish();
  return masker.work_done();
}

}  // namespace

TEST_CASE("property: looking for all forms at once finds what looking for each of them does") {
  std::mt19937 random(12);
  const std::vector<std::string> tokens{
      "a",    "b",    "6",        "1",    " ",      "  ",     "\n",  "\\",   "\\u", "%",
      "&",    "&#",   ";",        "'",    "\"",     "=",      "$'",  "61",   "62",  "0061",
      "YWJh", ": ",   "00000000", "\r",   "+",      "|",      "\\n", "n",    "0x",  "\\x61",
      "%61",  "\xc3", "\\xc3",    "\x83", "%C3%83", "&quot;", "\\'", "'\\''"};
  std::size_t found = 0;
  for (int round = 0; round < 400; ++round) {
    std::vector<SecretForm> forms;
    std::string secret;
    for (int i = 0; i < 4; ++i) {
      secret = from(random,
                    {"a", "b", "a'", "\\", "%", "\n", "n", "\xc3", "\xc3\x83", " ", "$", "+", "\""},
                    4 + random() % (i == 0 ? 300 : 8));
      for (SecretForm& form : forms_of_secret(secret)) forms.push_back(std::move(form));
    }
    sort_forms(forms);
    const auto groups = groups_of(forms);
    std::string text = from(random, tokens, 60);
    text.insert(random() % text.size(), secret);
    for (std::size_t start = 0; start < text.size(); ++start) {
      for (const TextEnd end : {TextEnd::open, TextEnd::final}) {
        std::size_t size = 0;
        bool unfinished = false;
        for (const SecretForm& form : forms) {
          const FormMatch match = match_form(form, text, start, end);
          unfinished = unfinished || match.kind == FormMatch::Kind::unfinished;
          size = std::max(size, match.size);
        }
        const PlaceMatch match = match_forms(forms, groups, text, start, end);
        CAPTURE(text, start, secret);
        REQUIRE_FALSE(match.too_much);
        REQUIRE(match.unfinished == unfinished);
        if (unfinished) continue;
        REQUIRE(match.size == size);
        found += size > 0 ? 1 : 0;
      }
    }
  }
  CHECK(found > 400);
}

TEST_CASE("what masking costs does not grow with a long secret") {
  const std::string kind = GENERATE(as<std::string>{}, "key", "indented", "signs", "bytes");
  const std::string secret = long_secret(kind);
  const SecretPatterns patterns({secret});
  SecretPatterns::Work control;
  const auto itself = patterns.find(secret, 0, TextEnd::final, control);
  CHECK((itself && itself->start == 0 && itself->size >= 64));
  for (const std::string unit : {"\n",
                                 "\\n",
                                 "\\u0041",
                                 "\\x0a",
                                 "%u0041",
                                 "%20",
                                 "&#10;",
                                 "&#x41;",
                                 "&quot;",
                                 "=0A",
                                 " ",
                                 "    \"name",
                                 "a",
                                 "AAAA",
                                 "ICAg",
                                 "0a ",
                                 "20",
                                 "00 ",
                                 "\\'",
                                 "''",
                                 "\"\"",
                                 "$'\\n'",
                                 "The quick brown fox. "}) {
    const std::string text = repeated(unit, 2048);
    CAPTURE(kind, unit);
    const std::size_t steps_per_byte = work_of(patterns, text) / text.size();
    CHECK(steps_per_byte <= 2'500);
  }
}

TEST_CASE("a secret that was made to be slow costs one turn, and nothing of it shows") {
  // In base64 all pieces begin alike and differ late; line breaks may stand between any two digits.
  std::string secret;
  for (unsigned block = 0; block < 600; ++block) {
    secret += std::string(69, '\0');
    for (unsigned shift : {0U, 8U, 16U}) {
      secret += static_cast<char>((block * 2654435761U >> shift) & 0xFFU);
    }
  }
  const SecretPatterns patterns({secret});
  const std::string text = "shown\n" + repeated("A" + std::string(79, '\n'), 16'000);
  constexpr std::size_t work_per_turn = 100'000;
  Masker masker(patterns, work_per_turn);
  std::string output(masker.feed(text));
  std::size_t work_max = masker.work_done();
  while (masker.paused()) {
    masker.begin_turn();
    output += masker.feed({});
    work_max = std::max(work_max, masker.work_done());
  }
  output += masker.finish();
  // One form more than what is too much: no form takes more steps than a match is long.
  CHECK(work_max <= work_per_turn + place_work_max + SecretPatterns::match_size_max);
  CHECK(output == "shown\n****");
  CHECK(masker.feed("more").empty());
  // The same from one call without pauses, and byte by byte.
  Masker whole(patterns);
  std::string at_once(whole.feed(text));
  at_once += whole.finish();
  CHECK(at_once == output);
}

TEST_CASE("a pause changes nothing of what comes out") {
  std::mt19937 random(13);
  const std::string secret = "s3cr3t \\ value";
  const SecretPatterns patterns({secret});
  for (int round = 0; round < 50; ++round) {
    const std::string text = from(
        random,
        {"s3cr3t", " \\ ", "value", "s3cr3t \\ value", "\\x73", "\n", "czNjcjN0IFwgdmFsdWU"}, 200);
    Masker whole(patterns), slow(patterns, 40);
    std::string expected(whole.feed(text));
    expected += whole.finish();
    std::string output;
    for (std::size_t at = 0; at < text.size(); at += 37) {
      output += slow.feed(std::string_view(text).substr(at, 37));
      slow.begin_turn();
    }
    while (slow.paused()) {
      slow.begin_turn();
      output += slow.feed({});
    }
    output += slow.finish();
    while (slow.paused()) {
      slow.begin_turn();
      output += slow.finish();
    }
    CHECK(output == expected);
  }
}

TEST_CASE("a run may mask so much and no more, each value counted once") {
  RunRequest request;
  const std::string largest(masked_size_max.value, 'a');
  request.secret_environment.emplace("A", Secret(largest));
  request.further_secrets.emplace_back(largest);
  const auto fits = masked_values(request);
  REQUIRE(fits);
  CHECK(fits->size() == 1);
  request.further_secrets.emplace_back("more");
  const auto too_long = masked_values(request);
  REQUIRE_FALSE(too_long);
  CHECK(too_long.error().code == satellite::ErrorCode::limit_exceeded);
  CHECK(too_long.error().message.find("can be masked") != std::string::npos);
  request = {};
  for (std::size_t i = 0; i <= masked_count_max; ++i) {
    request.further_secrets.emplace_back(std::to_string(10'000 + i));
  }
  CHECK_FALSE(masked_values(request));
  request.further_secrets.pop_back();
  CHECK(masked_values(request));
}
