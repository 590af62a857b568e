#include "agent/config/client_identity.hpp"

#include "tests/devcore/temporary_certificate.hpp"
#include "tests/support/temp_dir.hpp"

#include <sys/resource.h>
#include <sys/stat.h>
#include <catch2/catch.hpp>
#include <cstdio>

using namespace satellite;
using namespace satellite::agent;
using namespace satellite::tests;

namespace {

/// The two files, each replaced as whoever renews certificates does it.
class PairOfFiles {
 public:
  explicit PairOfFiles(const tls::CertifiedKey& pair) { put(pair); }
  void put(const tls::CertifiedKey& pair) {
    put("client.pem", pair.certificate_pem);
    put("client.key", pair.key_pem);
  }
  void put(const std::string& name, const std::string& text) {
    const std::string next = directory_.write("next", text);
    ::chmod(next.c_str(), 0600);
    REQUIRE(std::rename(next.c_str(), path(name).c_str()) == 0);
  }
  std::string path(const std::string& name) const { return (directory_.path() / name).string(); }
  ClientFiles files() const {
    return {path("client.pem"), path("client.key"), "tls.certificate_file", "tls.key_file"};
  }

 private:
  TempDir directory_;
};

}  // namespace

TEST_CASE("a renewed client certificate counts once both of its files are there") {
  const auto authority = tls::TemporaryAuthority::create();
  const auto first = *authority->sign({}), second = *authority->sign({});
  PairOfFiles files(first);
  ClientIdentity identity(files.files());
  CHECK(identity.certificate() == nullptr);
  CHECK(identity.refresh().value());
  CHECK_FALSE(identity.refresh().value());
  const auto in_use = identity.certificate();
  files.put("client.pem", second.certificate_pem);
  const auto half = identity.refresh();
  REQUIRE_FALSE(half);
  CHECK(half.error().message.find("another certificate") != std::string::npos);
  // Told once, and the pair that was good counts.
  CHECK_FALSE(identity.refresh().value());
  CHECK(identity.certificate() == in_use);
  files.put("client.key", second.key_pem);
  CHECK(identity.refresh().value());
  CHECK(identity.certificate()->certificate_pem == second.certificate_pem);
  // A connection that began with the old one still has it.
  CHECK(in_use->certificate_pem == first.certificate_pem);
  files.put(second);
  CHECK_FALSE(identity.refresh().value());
}

TEST_CASE("a renewed pair that could not be read for a passing reason is read the next time") {
  const auto authority = tls::TemporaryAuthority::create();
  const auto second = *authority->sign({});
  PairOfFiles files(*authority->sign({}));
  ClientIdentity identity(files.files());
  REQUIRE(identity.refresh().value());
  files.put(second);
  rlimit before{};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &before) == 0);
  const rlimit none{0, before.rlim_max};
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &none) == 0);
  const auto failed = identity.refresh(), again = identity.refresh();
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &before) == 0);
  REQUIRE_FALSE(failed);
  // The same words are told once.
  REQUIRE(again);
  CHECK_FALSE(*again);
  CHECK(identity.refresh().value());
  CHECK(identity.certificate()->certificate_pem == second.certificate_pem);
}

TEST_CASE("a wrong pair is told again by whoever asks for a look in any case") {
  const auto authority = tls::TemporaryAuthority::create();
  PairOfFiles files(*authority->sign({}));
  ClientIdentity identity(files.files());
  REQUIRE(identity.refresh().value());
  files.put("client.pem", "none");
  REQUIRE_FALSE(identity.refresh());
  CHECK(identity.refresh());
  identity.forget_look();
  CHECK_FALSE(identity.refresh());
  CHECK(identity.refresh());
}

TEST_CASE("a key that others could read is refused, its certificate may be read by everybody") {
  const auto authority = tls::TemporaryAuthority::create();
  PairOfFiles files(*authority->sign({}));
  ::chmod(files.path("client.pem").c_str(), 0644);
  CHECK(read_client_certificate(files.files()));
  const auto mode = GENERATE(0644, 0604, 0660, 0666, 0601);
  ::chmod(files.path("client.key").c_str(), static_cast<mode_t>(mode));
  const auto read = read_client_certificate(files.files());
  REQUIRE_FALSE(read);
  CHECK(name_of(read.error().code) == "not_permitted");
  CHECK(read.error().message.find("tls.key_file") != std::string::npos);
  CHECK(read.error().message.find("chmod 600") != std::string::npos);
}

TEST_CASE("a missing or endless file of a client certificate is named with its setting") {
  const auto authority = tls::TemporaryAuthority::create();
  PairOfFiles files(*authority->sign({}));
  ClientFiles wrong = files.files();
  wrong.key = "/nonexistent/key";
  CHECK(read_client_certificate(wrong).error().message.find(
            "tls.key_file: file /nonexistent/key") == 0);
  wrong = files.files();
  wrong.certificate = "/nonexistent/certificate";
  CHECK(name_of(read_client_certificate(wrong).error().code) == "not_found");
  wrong.certificate = "/dev/zero";
  CHECK(name_of(read_client_certificate(wrong).error().code) == "limit_exceeded");
}

TEST_CASE("without files there is no client certificate, and nothing is looked at") {
  ClientIdentity identity({});
  CHECK_FALSE(identity.refresh().value());
  CHECK(identity.certificate() == nullptr);
}
