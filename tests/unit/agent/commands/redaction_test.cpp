#include "agent/commands/redaction.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <vector>

using namespace satellite;
using namespace satellite::agent;

namespace {

Redaction knowing(const std::vector<std::string>& values) {
  std::vector<Secret> secrets;
  for (const std::string& value : values) secrets.emplace_back(value);
  return Redaction(std::move(secrets));
}

bool holds(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("what looks like a secret is hidden, and what stands beside it stays") {
  struct Row {
    std::string text, redacted;
  };
  const Row row = GENERATE(
      Row{"GET https://user:geheim@host/x", "GET https://****@host/x"},
      Row{"https://user@host/x", "https://****@host/x"},
      Row{"wss://host/ws?ticket=geheim&x=1 refused", "wss://host/ws?**** refused"},
      Row{"password=geheim, retry", "password=****, retry"},
      Row{"DB_PASSWORD=geheim next", "DB_PASSWORD=**** next"},
      Row{"Password: geheim", "Password: ****"}, Row{"passwords: geheim", "passwords: ****"},
      Row{"{\"secret\":\"ge heim\",\"x\":1}", "{\"secret\":\"****\",\"x\":1}"},
      Row{"api_key='geheim'", "api_key='****'"}, Row{"token=geheim&id=7", "token=****&id=7"},
      Row{"Authorization: Bearer abcdef", "Authorization: Bearer ****"},
      Row{"Proxy-Authorization: Basic dXNlcjpwdw==", "Proxy-Authorization: Basic ****"},
      Row{"got csat_geheim here", "got **** here"}, Row{"csat_", "****"},
      Row{"ghp_0123abcd", "****"}, Row{"jwt eyJhbGciOi.eyJzdWIi.c2lnbmF0", "jwt ****"},
      Row{"key AKIAABCDEFGHIJKLMNOP", "key ****"},
      Row{"id Zm9vYmFyYmF6MTIzNDU2Nzg5 end", "id **** end"},
      Row{"x 0123456789abcdef0123456789abcdef y", "x **** y"},
      Row{"-----BEGIN PRIVATE KEY-----\nMIG\nabc\n-----END PRIVATE KEY-----\nrest", "****\nrest"},
      Row{"-----BEGIN EC PRIVATE KEY-----\nMIG\ncut off", "****"});
  CHECK(without_likely_secrets(row.text) == row.redacted);
}

TEST_CASE("what tells of a satellite and is no secret stays readable") {
  const std::string text = GENERATE(
      std::string("2026-11-29T15:08:20+0000 host checkstack-satellite[42]: connect_failed TCP: "
                  "connection refused core=https://core.example.org:8443 stage=tcp"),
      std::string("id 7d0c2f4e-8a55-4c0f-9d2b-4b8f5a1f0c11"),
      std::string("{\"key\":\"token_file\",\"value\":\"/etc/checkstack-satellite/token\"}"),
      std::string("{\"name\":\"token\",\"state\":\"failed\"}"),
      std::string("tls.pins  sha256/Zm9vYmFyYmF6MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM=   # option"),
      std::string("/usr/lib/x86_64-linux-gnu/libexec/checkstack-satellite-0.0.0"),
      std::string("Is it up? Maybe. Basic is a word, bearer of news, too"),
      std::string("CONFIG_SECURITY_LANDLOCK_AND_MORE apparmor_restrict_unprivileged_userns"));
  CHECK(without_likely_secrets(text) == text);
}

TEST_CASE("a known secret goes in every form, and what is too short to tell stays") {
  const std::string secret = "gehe/im +1";
  const Redaction redaction = knowing({secret, "abc"});
  // As a positive control each form is in the text before.
  const std::string text =
      "plain gehe/im +1 base64 Z2VoZS9pbSArMQ== hex 676568652f696d202b31 upper "
      "676568652F696D202B31 url gehe%2Fim%20%2B1 lower gehe%2fim+%2b1 abc";
  const std::string redacted = redaction.applied_to(text);
  INFO(redacted);
  CHECK(redacted == "plain **** base64 ****Q== hex **** upper **** url **** lower **** abc");
}

TEST_CASE("a JSON text stays one") {
  const nlohmann::json whole{{"url", "https://u:geheim@host/?a=b"},
                             {"quoted", "see \"https://h/?a=geheim\" and \"password=geheim\""},
                             {"list", {"csat_x", "password=geheim", "Bearer geheimnis"}},
                             {"password", "ge\"heim"},
                             {"number", 12}};
  const std::string redacted = without_likely_secrets(whole.dump(2));
  INFO(redacted);
  CHECK(nlohmann::json::accept(redacted));
  CHECK_FALSE(holds(redacted, "geheim"));
  CHECK(holds(redacted, "\"number\": 12"));
}

TEST_CASE("a known secret never comes through, wherever it stands in whatever text") {
  const std::string secret = "s3cr3t-Value";
  const Redaction redaction = knowing({secret});
  std::mt19937 random(7);
  const std::string letters = "abs3c \n\"=:/?@-_csat%";
  for (int round = 0; round < 2'000; ++round) {
    std::string text;
    for (int i = 0; i < 40; ++i) text += letters[random() % letters.size()];
    text.insert(random() % text.size(), secret);
    INFO(text);
    REQUIRE_FALSE(holds(redaction.applied_to(text), secret));
  }
}

TEST_CASE("a long text of what begins everything and ends nothing is done at once") {
  const std::string piece = GENERATE(std::string("?"), std::string("://"), std::string("token"),
                                     std::string("-----BEGIN "), std::string("basic "),
                                     std::string("password= "), std::string("a"));
  std::string text;
  while (text.size() < 200'000) text += piece;
  CHECK(without_likely_secrets(text).size() <= 2 * text.size());
}
