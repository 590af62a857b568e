#include "agent/operation/reload.hpp"

#include "agent/config/setting_table.hpp"
#include "protocol/vocabulary/unique_fd.hpp"
#include "tests/devcore/temporary_certificate.hpp"
#include "tests/support/temp_dir.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <catch2/catch.hpp>
#include <fstream>
#include <sstream>

using namespace satellite;
using namespace satellite::agent;
using satellite::tests::TempDir;

namespace {

/// Settings, token and authority in files, and a Reload over them.
class ReloadBench {
 public:
  ReloadBench() {
    put_token("csat_old");
    put_authorities(tls::TemporaryAuthority::create()->certificate_pem());
    put_settings("");
    auto loaded = load();
    REQUIRE(loaded);
    config_ = std::move(loaded->config);
    token_.emplace(std::move(loaded->token_source), Secret("csat_old"));
    authorities_.emplace(config_.ca_file);
    identity_.emplace(config_.client_files);
    REQUIRE(identity_->refresh());
    REQUIRE(authorities_->refresh());
    REQUIRE(token_->refresh());
    reload_.emplace(Reload::Parts{config_, std::move(loaded->settings), *token_, *authorities_,
                                  *identity_, log_, [this] { return load(); }});
  }

  Result<LoadedConfig> load() {
    ConfigSources sources;
    sources.own_uid = ::geteuid();
    sources.file = (files_.path() / "satellite.toml").string();
    return load_config(sources, SettingsUse::running);
  }
  /// `trust`: what else stands in the section [tls].
  void put_settings(const std::string& further, const std::string& trust = "") {
    files_.write("satellite.toml", "core = \"https://core\"\nid = \"one\"\ntoken_file = \"" +
                                       (files_.path() / "token").string() + "\"\n" + further +
                                       "[tls]\nca_file = \"" + (files_.path() / "ca.pem").string() +
                                       "\"\n" + trust);
  }
  std::string path(const std::string& name) const { return (files_.path() / name).string(); }
  void put_certificate(const tls::CertifiedKey& pair) {
    put("client.pem", pair.certificate_pem);
    put("client.key", pair.key_pem);
  }
  void break_settings() { files_.write("satellite.toml", "core = \n"); }
  void put_token(const std::string& text) { put("token", text); }
  void put_authorities(const std::string& text) { put("ca.pem", text); }

  Reload& reload() { return *reload_; }
  const Config& config() const { return config_; }
  const ClientIdentity& identity() const { return *identity_; }
  std::string_view token() const { return token_->token().reveal(); }
  std::string log() const {
    std::ifstream stream(files_.path() / "log");
    std::ostringstream text;
    text << stream.rdbuf();
    return text.str();
  }

 private:
  /// By another name first, as whoever replaces such a file does it.
  void put(const std::string& name, const std::string& text) {
    const std::string next = files_.write("next", text);
    ::chmod(next.c_str(), 0600);
    REQUIRE(std::rename(next.c_str(), (files_.path() / name).c_str()) == 0);
  }

  TempDir files_;
  UniqueFd log_file_{::open((files_.path() / "log").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600)};
  Log log_{LogLevel::info, log_file_.get()};
  Config config_;
  std::optional<TokenWatch> token_;
  std::optional<tls::AuthorityFile> authorities_;
  std::optional<ClientIdentity> identity_;
  std::optional<Reload> reload_;
};

bool says(const std::string& log, const std::string& words) {
  return log.find(words) != std::string::npos;
}

}  // namespace

TEST_CASE("a reload takes the settings that may change and names those that need a restart") {
  ReloadBench bench;
  bench.put_settings(
      "[operator]\nautomation = false\ntimeout_max = 60\n[log]\nlevel = \"debug\"\n"
      "[dispatch]\nconcurrency = 3\n[sandbox]\nuid = 4242\n");
  CHECK_FALSE(bench.reload().perform());
  CHECK_FALSE(bench.config().allow_automation);
  CHECK(bench.config().script_timeout_max == std::chrono::seconds(60));
  CHECK(bench.config().log_level == LogLevel::debug);
  CHECK(bench.config().sandbox_uid == 65532);
  CHECK(says(bench.log(), "sandbox.uid, dispatch.concurrency"));
  // As long as they differ they are named again.
  const std::size_t before = bench.log().size();
  CHECK_FALSE(bench.reload().perform());
  CHECK(says(bench.log().substr(before), "sandbox.uid, dispatch.concurrency"));
  CHECK_FALSE(says(bench.log().substr(before), "operator.automation"));
}

TEST_CASE(
    "a settings file that is wrong changes nothing, and a good token beside it still counts") {
  ReloadBench bench;
  bench.break_settings();
  bench.put_token("csat_new");
  CHECK(bench.reload().perform());
  CHECK(bench.config().core_url == "https://core");
  CHECK(bench.token() == "csat_new");
  CHECK(says(bench.log(), "reload_failed"));
  CHECK(says(bench.log(), "stay in use"));
}

TEST_CASE("a token or authority file that is wrong keeps the old one and says so") {
  ReloadBench bench;
  bench.put_token("two words");
  bench.put_authorities("hello");
  CHECK_FALSE(bench.reload().perform());
  CHECK(bench.token() == "csat_old");
  CHECK(says(bench.log(), "token_unreadable"));
  CHECK(says(bench.log(), "authorities_unreadable"));
  CHECK_FALSE(says(bench.log(), "words"));
  bench.put_authorities(tls::TemporaryAuthority::create()->certificate_pem());
  CHECK(bench.reload().perform());
  CHECK(says(bench.log(), "authorities_changed"));
}

TEST_CASE(
    "a reload takes a client certificate, a renewed one, and keeps the good one of a bad pair") {
  ReloadBench bench;
  const auto authority = tls::TemporaryAuthority::create();
  const auto first = *authority->sign({}), second = *authority->sign({});
  bench.put_certificate(first);
  bench.put_settings("", "certificate_file = \"" + bench.path("client.pem") + "\"\nkey_file = \"" +
                             bench.path("client.key") + "\"\n");
  CHECK(bench.reload().perform());
  REQUIRE(bench.identity().certificate());
  CHECK(bench.identity().certificate()->certificate_pem == first.certificate_pem);
  CHECK_FALSE(bench.reload().perform());
  // Half of a renewal: the new certificate stands there with the old key.
  bench.put_certificate({second.certificate_pem, first.key_pem});
  CHECK_FALSE(bench.reload().perform());
  CHECK(bench.identity().certificate()->certificate_pem == first.certificate_pem);
  CHECK(says(bench.log(), "client_certificate_unusable"));
  CHECK(says(bench.log(), "another certificate"));
  bench.put_certificate(second);
  CHECK(bench.reload().look_at_files());
  CHECK(bench.identity().certificate()->certificate_pem == second.certificate_pem);
  CHECK(says(bench.log(), "client_certificate_changed"));
  CHECK_FALSE(says(bench.log(), "PRIVATE KEY"));
  bench.put_settings("");
  CHECK(bench.reload().perform());
  CHECK_FALSE(bench.identity().certificate());
}

TEST_CASE("a reload takes pins and a directory of authorities, and a wrong directory leaves all") {
  ReloadBench bench;
  const std::string pin = tls::text_of(tls::Pin{1, 2, 3});
  bench.put_settings("", "pins = [\"" + pin + "\"]\n");
  CHECK(bench.reload().perform());
  CHECK(bench.config().pins == std::vector<tls::Pin>{{1, 2, 3}});
  bench.put_settings("", "pins = [\"" + pin + "\"]\nca_directory = \"/nonexistent\"\n");
  CHECK_FALSE(bench.reload().perform());
  CHECK(bench.config().ca_directory.empty());
  CHECK(says(bench.log(), "tls.ca_directory"));
  bench.put_settings("", "pins = [\"sha256/short\"]\n");
  CHECK_FALSE(bench.reload().perform());
  CHECK(bench.config().pins.size() == 1);
  CHECK(says(bench.log(), "reload_failed"));
}

TEST_CASE("every setting that takes effect on a reload is one that exists") {
  std::size_t count = 0;
  for (const Setting& setting : setting_table()) count += takes_effect_on_reload(setting.key);
  CHECK(count == 15);
  CHECK_FALSE(takes_effect_on_reload("core"));
}
