#include "sandbox/capture/masker.hpp"

#include <catch2/catch.hpp>
#include <random>

using namespace satellite::sandbox;

namespace {

std::string masked_in_pieces(const SecretPatterns& patterns, const std::string& text,
                             const std::vector<std::size_t>& cuts) {
  Masker masker(patterns);
  std::string result;
  std::size_t from = 0;
  for (const std::size_t cut : cuts) {
    const std::string read = text.substr(from, cut - from);
    result += masker.feed(read);
    from = cut;
  }
  result += masker.feed(text.substr(from));
  result += masker.finish();
  return result;
}

std::string masked(const std::vector<std::string_view>& secrets, const std::string& text) {
  const SecretPatterns patterns(secrets);
  return masked_in_pieces(patterns, text, {});
}

}  // namespace

TEST_CASE("a secret is hidden wherever two reads cut it") {
  const SecretPatterns patterns({"s3cr3t-value"});
  const std::string text = "token=s3cr3t-value; again s3cr3t-value!";
  for (std::size_t first = 0; first <= text.size(); ++first) {
    for (std::size_t second = first; second <= text.size(); ++second) {
      REQUIRE(masked_in_pieces(patterns, text, {first, second}) == "token=****; again ****!");
    }
  }
}

TEST_CASE("a secret is hidden in the forms in which programs print it") {
  const std::string secret = "p/ä\"s\\w rd&1";
  const char* text = GENERATE("p/ä\"s\\w rd&1",                           // raw
                              R"(p/ä\"s\\w rd&1)", R"(p\/ä\"s\\w rd&1)",  // JSON
                              "p%2F%C3%A4%22s%5Cw%20rd%261",              // URL
                              "p%2f%c3%a4%22s%5cw%20rd%261",              // URL, lower case
                              "p%2F%C3%A4%22s%5Cw+rd%261");               // form
  CAPTURE(text);
  CHECK(masked({secret}, "<" + std::string(text) + ">") == "<****>");
}

TEST_CASE("a secret inside base64 shows nothing of itself at any alignment") {
  // `user:hunter2-hunter2` and its like, as `printf … | base64` writes them.
  const std::vector<std::string_view> secrets{"hunter2-hunter2"};
  CHECK(masked(secrets, "aHVudGVyMi1odW50ZXIy") == "****");           // alone
  CHECK(masked(secrets, "dTpodW50ZXIyLWh1bnRlcjI=") == "dTp****I=");  // `u:` before it
  CHECK(masked(secrets, "dTpodW50ZXIyLWh1bnRlcjI=").find("dW50ZXIy") == std::string::npos);
  CHECK(masked(secrets, "OmhJHVudGVyMi").find("****") == std::string::npos);  // no secret
  CHECK(masked({"?>?>?>?>?"}, "Pz4_Pj8-Pz4_") == "****");                     // URL alphabet
}

TEST_CASE("of two secrets the longer one is hidden whole") {
  CHECK(masked({"s3cr3t", "s3cr3t-value"}, "x s3cr3t-value y s3cr3t z") == "x **** y **** z");
}

TEST_CASE("a secret that was stored with a line break is hidden without it, too") {
  CHECK(masked({"s3cr3t-value\n"}, "x s3cr3t-value y") == "x **** y");
  CHECK(masked({"s3cr3t-value\n"}, "s3cr3t-value\n") == "****");
  CHECK(masked({" \n\t "}, "a \n\t b") == "a****b");
}

TEST_CASE("overlapping secrets leave no rest beside the mask") {
  const SecretPatterns patterns({"abcd", "cdef-xyz"});
  const std::string text = "-abcdef-xyz-";
  for (std::size_t cut = 0; cut <= text.size(); ++cut) {
    REQUIRE(masked_in_pieces(patterns, text, {cut}) == "-****-");
  }
}

TEST_CASE("values shorter than four bytes are not secrets, four bytes are") {
  CHECK(masked({"abc"}, "abcabc") == "abcabc");
  CHECK(masked({"abcd"}, "abcdabcd") == "********");
  CHECK(masked({"é!"}, "é!") == "é!");
  CHECK(masked({"éé"}, "éé") == "****");
}

TEST_CASE("without secrets bytes pass by without a copy") {
  const SecretPatterns none;
  Masker masker(none);
  const std::string text = "anything";
  CHECK(masker.feed(text).data() == text.data());
}

TEST_CASE("what cannot be the start of a secret is not held back") {
  const SecretPatterns patterns({"s3cr3t-value"});
  Masker masker(patterns);
  const std::string line = "progress 10 %\n";
  CHECK(masker.feed(line) == line);
  CHECK(masker.feed("wait s3cr") == "wait ");
  CHECK(masker.feed("ew\n") == "s3crew\n");
  CHECK(masker.finish().empty());
}

TEST_CASE("an unfinished secret at the end of the output is shown: it is none") {
  const SecretPatterns patterns({"s3cr3t-value"});
  Masker masker(patterns);
  CHECK(masker.feed("s3cr3t-val").empty());
  CHECK(masker.finish() == "s3cr3t-val");
}

TEST_CASE("a key of several kilobytes is hidden whole, under one mask") {
  std::mt19937 random(3);
  std::string key(5000, ' ');
  for (auto& c : key) c = static_cast<char>('a' + random() % 26);
  const SecretPatterns patterns({key});
  CHECK(masked_in_pieces(patterns, "<" + key + ">", {100, 2000, 2001}) == "<****>");
  std::string hexadecimal;
  for (const char c : key) {
    hexadecimal += "0123456789abcdef"[static_cast<unsigned char>(c) >> 4U];
    hexadecimal += "0123456789abcdef"[static_cast<unsigned char>(c) & 0xFU];
    hexadecimal += ' ';
  }
  CHECK(masked_in_pieces(patterns, "<" + hexadecimal + ">", {99, 2000, 2001}) == "<**** >");
}

TEST_CASE("property: no secret survives, whatever surrounds it and however it is cut") {
  const unsigned seed = 11;
  CAPTURE(seed);
  std::mt19937 random(seed);
  for (int round = 0; round < 3'000; ++round) {
    std::vector<std::string> secrets(1 + random() % 3);
    for (auto& secret : secrets) {
      for (std::size_t i = 4 + random() % 5; i > 0; --i)
        secret += static_cast<char>('a' + random() % 2);
    }
    std::string text;
    for (std::size_t i = random() % 80; i > 0; --i) {
      text += random() % 6 == 0 ? secrets[random() % secrets.size()]
                                : std::string(1, static_cast<char>('a' + random() % 3));
    }
    std::vector<std::size_t> cuts;
    for (std::size_t at = 0; at < text.size(); cuts.push_back(at)) {
      at = std::min<std::size_t>(text.size(), at + 1 + random() % 9);
    }
    const SecretPatterns patterns({secrets.begin(), secrets.end()});
    const std::string whole = masked_in_pieces(patterns, text, {});
    CAPTURE(text, secrets);
    REQUIRE(masked_in_pieces(patterns, text, cuts) == whole);
    for (const auto& secret : secrets) REQUIRE(whole.find(secret) == std::string::npos);
    // The positive control: without a secret in it the text is untouched.
    const bool any = std::any_of(secrets.begin(), secrets.end(), [&text](const auto& secret) {
      return text.find(secret) != std::string::npos;
    });
    if (!any) REQUIRE(whole == text);
  }
}

TEST_CASE("a script cannot stall the agent by printing most of its secret again and again") {
  const std::string secret = std::string(100'000, 'a') + "b";
  const SecretPatterns patterns({secret});
  const std::string flood(1 << 20, 'a');
  Masker masker(patterns);
  for (std::size_t at = 0; at < flood.size(); at += 65'536) {
    masker.feed(std::string_view(flood).substr(at, 65'536));
  }
  // Counted in steps: what a step takes is the machine's business.
  CHECK(masker.work_done() < 500 * flood.size());
}
