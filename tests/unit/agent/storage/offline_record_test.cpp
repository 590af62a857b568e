#include "agent/storage/offline_record.hpp"

#include <catch2/catch.hpp>
#include <vector>

using namespace satellite;
using namespace satellite::agent;
using namespace std::chrono_literals;

namespace {

const std::string salt(SealedRecord::salt_size, 's');
constexpr std::int64_t made_at = 1'800'000'000;

OfflineRecord record() {
  return {"wss://core.example/api/ws/satellite", "satellite-1", R"({"enabled":true})",
          R"({"type":"config_updated","assignments":[]})", made_at};
}

std::string file_of(const OfflineRecord& made, const std::string& token = "csat_right") {
  const SealedRecord sealed(made, Secret(token), salt);
  return sealed.head() + sealed.texts();
}

/// As the satellite that wrote it, unless something is said.
struct Reader {
  std::string token = "csat_right", client_id = "satellite-1";
  std::vector<std::string> core_urls{"wss://other.example/api/ws/satellite",
                                     "wss://core.example/api/ws/satellite"};
  std::int64_t now = made_at + 60;
  std::chrono::seconds age_max = 1h;

  Result<OfflineRecord> read(const std::string& file) const {
    const Secret secret(token);
    return SealedRecord::unseal(file, {secret, core_urls, client_id, now, age_max});
  }
};

}  // namespace

TEST_CASE("a sealed record is read by who wrote it, whole") {
  const auto read = Reader{}.read(file_of(record()));
  REQUIRE(read);
  CHECK(read->core_url == record().core_url);
  CHECK(read->client_id == record().client_id);
  CHECK(read->policy_json == record().policy_json);
  CHECK(read->set_frame == record().set_frame);
  CHECK(read->confirmed_at == made_at);
}

TEST_CASE("a record of another token, id or core is refused, and of a core beside it is not") {
  const std::string file = file_of(record());
  Reader other_token, other_id, other_core;
  other_token.token = "csat_other";
  other_id.client_id = "satellite-2";
  other_core.core_urls = {"wss://elsewhere.example/api/ws/satellite"};
  CHECK(other_token.read(file).error().code == ErrorCode::invalid_input);
  CHECK(other_id.read(file).error().code == ErrorCode::not_permitted);
  CHECK(other_core.read(file).error().code == ErrorCode::not_permitted);
  CHECK(Reader{}.read(file));
}

TEST_CASE("a record holds for as long as it may be old, counted from its last confirmation") {
  Reader late;
  late.now = made_at + 3'600;
  CHECK(late.read(file_of(record())));
  ++late.now;
  CHECK(late.read(file_of(record())).error().code == ErrorCode::timed_out);
  const Secret token("csat_right");
  SealedRecord sealed(record(), token, salt);
  const std::string texts = sealed.texts();
  sealed.drop_texts();
  sealed.confirm(made_at + 1);
  CHECK(late.read(sealed.head() + texts));
}

TEST_CASE("a record from the future has no age that anybody knows") {
  Reader early;
  early.now = made_at - 300;
  CHECK(early.read(file_of(record())));
  --early.now;
  CHECK(early.read(file_of(record())).error().code == ErrorCode::timed_out);
}

TEST_CASE("no byte of a record can be changed, added or left out") {
  const std::string file = file_of(record());
  for (std::size_t i = 0; i < file.size(); ++i) {
    std::string changed = file;
    changed[i] = static_cast<char>(changed[i] ^ 1);
    INFO(i);
    CHECK_FALSE(Reader{}.read(changed));
    CHECK_FALSE(Reader{}.read(file.substr(0, i)));
  }
  CHECK_FALSE(Reader{}.read(file + "x"));
  // The same bytes in other texts are another record.
  OfflineRecord moved = record();
  moved.set_frame = moved.policy_json.back() + moved.set_frame;
  moved.policy_json.pop_back();
  const std::string other = file_of(moved);
  CHECK_FALSE(Reader{}.read(file.substr(0, SealedRecord::head_size) +
                            other.substr(SealedRecord::head_size - 1)));
}

TEST_CASE("a head of one record does not fit the texts of another, nor the other way round") {
  OfflineRecord other = record();
  other.policy_json = R"({"enabled":null})";
  const std::string one = file_of(record()), two = file_of(other);
  REQUIRE(one.size() == two.size());
  CHECK_FALSE(
      Reader{}.read(one.substr(0, SealedRecord::head_size) + two.substr(SealedRecord::head_size)));
}

TEST_CASE("a record of a later version is told apart from a damaged one") {
  std::string file = file_of(record());
  file[16] = 2;
  CHECK(Reader{}.read(file).error().code == ErrorCode::unsupported);
}
