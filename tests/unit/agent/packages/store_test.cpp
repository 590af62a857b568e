#include "agent/packages/store/base64.hpp"
#include "agent/packages/store/package_store.hpp"
#include "agent/packages/store/store_directory.hpp"
#include "protocol/vocabulary/base64.hpp"
#include "tests/support/satellite_process.hpp"
#include "tests/support/temp_dir.hpp"
#include "tests/support/test_packages.hpp"
#include "tls/digest.hpp"

#include <sys/stat.h>
#include <utime.h>
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>

using namespace satellite;
using namespace satellite::agent;
using namespace satellite::tests;
namespace fs = std::filesystem;

namespace {

std::string in_base64(const std::string& bytes) {
  std::string text;
  append_base64(text, bytes);
  return text;
}

std::optional<std::string> decoded_base64(const std::string& text) {
  std::string bytes;
  const auto done = decode_base64(text, [&bytes](std::string_view piece) -> Result<void> {
    bytes += piece;
    return {};
  });
  return done ? std::optional(bytes) : std::nullopt;
}

const TestPackage store_package{"is-number", "7.0.0", {{"index.js", "module.exports = 1"}}, {}, {}};

/// A store in a directory of this test, opened and closed as a satellite would.
struct OpenStore {
  explicit OpenStore(const TempDir& files)
      : directory(opened(files)), store(directory, satellite_program(), {}) {}
  static StoreDirectory opened(const TempDir& files) {
    auto directory = StoreDirectory::open((files.path() / "packages").string());
    if (!directory) throw std::runtime_error(directory.error().message);
    return *std::move(directory);
  }
  StoreDirectory directory;
  PackageStore store;
};

protocol::ScriptPackage entry_of(const TestPackage& package, const std::string& blob) {
  return {package.name, package.version, integrity_of(package), tls::sha256_of(blob)};
}

void spoil(const std::string& path, const std::string& text) {
  fs::permissions(path, fs::perms::owner_all);
  std::ofstream(path, std::ios::binary) << text;
}

}  // namespace

TEST_CASE("base64 of any length is decoded, and what is none is refused") {
  for (std::size_t size : {0U, 1U, 2U, 3U, 4U, 49'151U, 49'152U, 49'153U, 200'000U}) {
    std::string bytes(size, '\0');
    for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<char>(i * 7 + i / 256);
    INFO(size);
    CHECK(decoded_base64(in_base64(bytes)) == bytes);
  }
  for (const char* text : {"A", "AA", "AAA", "A===", "AB==", "AAB=", "AA=A", "=AAA",
                           "AA\n=", "AA-_", "AAAA====", "AA==AAAA"}) {
    INFO(text);
    CHECK_FALSE(decoded_base64(text));
  }
}

TEST_CASE("a blob becomes an entry of the store that is found again by a later process") {
  const TempDir files;
  const std::string blob = blob_of(store_package);
  const auto package = entry_of(store_package, blob);
  {
    OpenStore open(files);
    CHECK_FALSE(open.store.find(package));
    const auto taken = open.store.take_blob(package, in_base64(blob));
    if (!taken) FAIL(taken.error().message);
    CHECK(open.store.find(package) == open.directory.entry(*package.blob_sha256));
    open.directory.close();
  }
  OpenStore again(files);
  const auto found = again.store.find(package);
  REQUIRE(found);
  struct stat facts {};
  REQUIRE(::stat((*found + "/package/index.js").c_str(), &facts) == 0);
  CHECK((facts.st_mode & 07777U) == 0444);
  // A list that does not say the digest finds it by the integrity.
  auto without_digest = package;
  without_digest.blob_sha256.reset();
  CHECK(again.store.find(without_digest) == found);
}

TEST_CASE(
    "a blob with another digest, no base64, or an archive that breaks a rule leaves nothing") {
  const TempDir files;
  OpenStore open(files);
  const std::string blob = blob_of(store_package);
  auto package = entry_of(store_package, blob);
  package.blob_sha256 = std::string(hash_of_nothing);
  const auto wrong = open.store.take_blob(package, in_base64(blob));
  REQUIRE_FALSE(wrong);
  CHECK(wrong.error().code == ErrorCode::invalid_input);
  CHECK(wrong.error().message.find("blob of is-number@7.0.0: expected sha256 " +
                                   std::string(hash_of_nothing) + ", got " +
                                   tls::sha256_of(blob)) != std::string::npos);
  CHECK_FALSE(open.store.take_blob(package, "no base64!"));
  package.blob_sha256.reset();
  const auto refused = open.store.take_blob(package, in_base64(blob + "more"));
  REQUIRE_FALSE(refused);
  CHECK(refused.error().message.find("archive of is-number@7.0.0 refused") == 0);
  open.store.end_unpacking();
  CHECK(open.directory.names_in("store").empty());
  CHECK(open.directory.names_in("index").empty());
  CHECK(fs::is_empty(files.path() / "packages/store"));
}

TEST_CASE("an entry with a file too few, too long, or other than it was counts as not there") {
  const TempDir files;
  const std::string blob = blob_of(store_package);
  const auto package = entry_of(store_package, blob);
  const bool host_stopped = GENERATE(false, true);
  const int damage = GENERATE(0, 1, 2, 3);
  {
    OpenStore open(files);
    REQUIRE(open.store.take_blob(package, in_base64(blob)));
    const std::string entry = *open.store.find(package);
    const std::string file = entry + "/package/index.js";
    if (damage == 0) fs::remove(file);
    if (damage == 1) spoil(file, "longer than what was there before");
    if (damage == 2) spoil(file, "module.exports = 2");  // as long as before
    if (damage == 3) spoil(entry + "/contents", "no list");
    if (host_stopped) spoil((files.path() / "packages/state").string(), "boot other\nopen\n");
  }
  OpenStore again(files);
  INFO("damage " << damage << ", host stopped " << host_stopped);
  CHECK(again.directory.is_content_certain() == !host_stopped);
  // Content alone is looked at only where it could have changed without anybody's doing.
  const bool is_seen = damage != 2 || host_stopped;
  CHECK(again.store.find(package).has_value() == !is_seen);
  CHECK(again.store.take_damaged() == (is_seen ? 1U : 0U));
  const bool is_whole = again.store.is_whole(again.directory.entry(*package.blob_sha256),
                                             PackageStore::Depth::digests);
  CHECK_FALSE(is_whole);
  if (is_seen) {
    CHECK(again.store.take_blob(package, in_base64(blob)));
    CHECK(again.store.find(package));
  }
}

TEST_CASE("an entry that no tree links goes a day after it was used last") {
  const TempDir files;
  OpenStore open(files);
  const std::string blob = blob_of(store_package);
  const auto package = entry_of(store_package, blob);
  REQUIRE(open.store.take_blob(package, in_base64(blob)));
  CHECK(open.store.collect() == 0);
  const std::string entry = *open.store.find(package);
  const utimbuf long_ago{1, 1};
  ::utime((entry + "/contents").c_str(), &long_ago);
  SECTION("a tree has a link to it") {
    fs::create_hard_link(entry + "/package/index.js", files.path() / "linked");
    CHECK(open.store.collect() == 0);
    CHECK(open.store.find(package));
  }
  SECTION("nothing has") {
    CHECK(open.store.collect() == 1);
    CHECK_FALSE(open.store.find(package));
    CHECK(open.directory.names_in("index").empty());
  }
}

TEST_CASE("one directory has one owner, and what was half-made goes at the next start") {
  const TempDir files;
  const std::string path = (files.path() / "packages").string();
  {
    const auto first = StoreDirectory::open(path);
    REQUIRE(first);
    const auto second = StoreDirectory::open(path);
    REQUIRE_FALSE(second);
    CHECK(second.error().code == ErrorCode::unavailable);
    fs::create_directories(first->partial("store") + "/deep/er");
    fs::create_directories(first->partial("trees"));
  }
  const auto later = StoreDirectory::open(path);
  REQUIRE(later);
  CHECK(fs::is_empty(path + "/store"));
  CHECK(fs::is_empty(path + "/trees"));
}

TEST_CASE("a directory that others may change is refused") {
  const TempDir files;
  const std::string path = (files.path() / "packages").string();
  fs::create_directory(path);
  fs::permissions(path, fs::perms::all);
  const auto open = StoreDirectory::open(path);
  REQUIRE_FALSE(open);
  CHECK(open.error().code == ErrorCode::not_permitted);
  fs::permissions(path, fs::perms::owner_all);
  CHECK(StoreDirectory::open(path));
}
