// A bundle is made on a host that has every kind of secret, beside a satellite that used them all,
// and searched for each of them in each form that anybody would write it in.
#include "protocol/vocabulary/base64.hpp"
#include "tests/devcore/temporary_certificate.hpp"
#include "tests/end_to_end/scene.hpp"
#include "tests/support/connect_proxy.hpp"
#include "tests/support/file_text.hpp"

#include <sys/stat.h>
#include <array>
#include <catch2/catch.hpp>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <sstream>

using namespace satellite;
using namespace satellite::tests;
using nlohmann::json;

namespace {

bool holds(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

std::string base64_of(const std::string& bytes) {
  std::string text;
  append_base64(text, bytes);
  return text;
}

std::string as_hexadecimal(const std::string& bytes, const char* format) {
  std::string text;
  for (const char c : bytes) {
    std::array<char, 8> digits{};
    std::snprintf(digits.data(), digits.size(), format,
                  static_cast<unsigned>(static_cast<unsigned char>(c)));
    text += digits.data();
  }
  return text;
}

std::string for_url(const std::string& bytes) {
  std::string text;
  for (const char c : bytes) {
    const bool is_plain = std::isalnum(static_cast<unsigned char>(c)) != 0;
    text += is_plain ? std::string(1, c) : as_hexadecimal(std::string(1, c), "%%%02X");
  }
  return text;
}

/// What a secret looks like in base64 with so many bytes before it, without the characters that
/// depend on its neighbours.
std::string within_base64(const std::string& secret, std::size_t before) {
  constexpr std::array<std::size_t, 3> first{0, 2, 3};
  std::string text = base64_of(std::string(before, 'x') + secret);
  while (text.ends_with('=')) text.pop_back();
  text.pop_back();
  return text.substr(first.at(before));
}

std::string with_url_alphabet(std::string base64) {
  for (char& c : base64) c = c == '+' ? '-' : c == '/' ? '_' : c;
  return base64;
}

std::vector<std::string> forms_of(const std::string& secret) {
  return {secret,
          within_base64(secret, 0),
          within_base64(secret, 1),
          within_base64(secret, 2),
          with_url_alphabet(within_base64(secret, 0)),
          as_hexadecimal(secret, "%02x"),
          as_hexadecimal(secret, "%02X"),
          for_url(secret),
          as_hexadecimal(secret, "%%%02x")};
}

/// The forms of these secrets that stand in the text.
std::vector<std::string> hunt(const std::string& text, const std::vector<std::string>& secrets) {
  std::vector<std::string> found;
  for (const std::string& secret : secrets) {
    for (const std::string& form : forms_of(secret)) {
      if (holds(text, form)) found.push_back(form);
    }
  }
  return found;
}

/// A satellite that shows a token to the core, a certificate to it as well, and a password to a
/// proxy, and runs a script with a secret.
class SecretiveHost {
 public:
  SecretiveHost() : scene_(options()) {
    proxy_.lead_to(scene_.core().port());
    REQUIRE(scene_.core().wait_until_authenticated());
    protocol::RunScript message = script("echo \"it is $HIDDEN\"; echo $HIDDEN >&2");
    message.secret_environment.emplace("HIDDEN", Secret(dispatched));
    CHECK(scene_.run(std::move(message)).standard_output == "it is ****\n");
  }
  /// All that must not leave this host.
  std::vector<std::string> secrets() const {
    std::vector<std::string> all{token,
                                 dispatched,
                                 "Pr0xy-Geheim/1",
                                 "proxy-user:Pr0xy-Geheim/1",
                                 "url-geheim",
                                 "frage-geheim",
                                 "csat_Fremd0123456789",
                                 "Passwort-Wort",
                                 "bearer-geheim-9"};
    // Of a key every line alone.
    std::istringstream lines(key_pem_);
    for (std::string line; std::getline(lines, line);) {
      if (!line.starts_with("-----")) all.push_back(line);
    }
    return all;
  }
  /// A log with what careless programs, proxies and cores have been seen to write.
  std::string careless_log() const {
    std::string log = file_text(scene_.log_file().string());
    log += "GET https://someone:url-geheim@core.example.org/x?ticket=frage-geheim HTTP/1.1\n";
    log += "the core said: csat_Fremd0123456789 is not csat_Fremd0123456789\n";
    log += "DATABASE_PASSWORD=Passwort-Wort\nAuthorization: Bearer bearer-geheim-9\n";
    for (const std::string& known : {token, std::string("proxy-user:Pr0xy-Geheim/1")}) {
      for (const std::string& form : forms_of(known)) log += "dump: " + form + '\n';
    }
    return log + key_pem_ + "\nthe last line\n";
  }
  std::map<std::string, std::string> environment() const {
    auto all = settings();
    all.insert(shell_path.begin(), shell_path.end());
    all["CHECKSTACK_CORE_URL"] = "https://core.example.org";
    all["CHECKSTACK_SATELLITE_CLIENT_ID"] = "satellite-1";
    all["CHECKSTACK_SATELLITE_TOKEN"] = token;
    all["CHECKSTACK_SATELLITE_CA_FILE"] = scene_.authority_file().string();
    all["CHECKSTACK_SATELLITE_STATE_DIRECTORY"] = scene_.state_directory().string();
    return all;
  }
  std::string path(const std::string& name) const { return (files_.path() / name).string(); }
  const TempDir& files() const { return files_; }

  const std::string token = "csat_Geheim+Token/42";
  const std::string dispatched = "Ausgefuehrt-Geheim-7";

 private:
  std::map<std::string, std::string> settings() const {
    return {{"HTTPS_PROXY", proxy_.url()},
            {"CHECKSTACK_SATELLITE_PROXY_CREDENTIALS_FILE", path("proxy-user")},
            {"CHECKSTACK_SATELLITE_CERTIFICATE_FILE", path("client.pem")},
            {"CHECKSTACK_SATELLITE_KEY_FILE", path("client.key")}};
  }
  Scene::Options options() {
    const auto authority = tls::TemporaryAuthority::create();
    tls::CertificateRequest request;
    request.names = {"satellite-1"};
    request.extended_key_usage = "clientAuth";
    const auto pair = *authority->sign(request);
    key_pem_ = pair.key_pem;
    files_.write("client.pem", pair.certificate_pem);
    REQUIRE(tls::write_private_file(path("client.key"), pair.key_pem));
    REQUIRE(tls::write_private_file(path("proxy-user"), "proxy-user:Pr0xy-Geheim/1\n"));
    Scene::Options options = Scene::with_policy(default_policy);
    options.host = "core.example.org";
    options.core.certificate_request.names = {"core.example.org"};
    options.core.client_authority = authority->certificate_pem();
    options.core.tokens["satellite-1"] = token;
    options.environment = settings();
    options.environment["CHECKSTACK_SATELLITE_TOKEN"] = token;
    options.waits_until_connected = false;
    return options;
  }

  TempDir files_;
  std::string key_pem_;
  ConnectProxy proxy_{{0, "127.0.0.1", {}, base64_of("proxy-user:Pr0xy-Geheim/1")}};
  Scene scene_;
};

std::string output_of(const std::string& command) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> pipe(::popen(command.c_str(), "r"),
                                                             ::pclose);
  std::string text;
  std::array<char, 4096> part{};
  while (const auto size = std::fread(part.data(), 1, part.size(), pipe.get())) {
    text.append(part.data(), size);
  }
  return text;
}

/// What tar(1) finds in it under a name.
std::string entry_of(const std::string& bundle, const std::string& name) {
  return output_of("tar -xOf '" + bundle + "' checkstack-satellite-support/" + name);
}

}  // namespace

TEST_CASE("no secret of a host is in its bundle, in whatever form") {
  const SecretiveHost host;
  const std::string log = host.files().write("careless.log", host.careless_log());
  // The hunt finds what is there: every form of every secret, and in the log those that were put
  // in.
  for (const std::string& secret : host.secrets()) {
    for (const std::string& form : forms_of(secret)) {
      CHECK_FALSE(hunt("before " + form + " behind", {secret}).empty());
    }
  }
  REQUIRE(hunt(file_text(log), host.secrets()).size() >= 20);
  const std::string bundle = host.path("bundle.tar");
  const auto made =
      run_satellite({"support-bundle", "--output", bundle, "--log", log}, host.environment());
  INFO(made.standard_output << made.standard_error);
  REQUIRE(made.exit_code == 0);
  const std::string bytes = file_text(bundle);
  for (const std::string& text : {bytes, made.standard_output, made.standard_error}) {
    for (const std::string& found : hunt(text, host.secrets())) {
      CAPTURE(found);
      CHECK(false);
    }
  }
  // And yet it tells what a helper wants to know.
  CHECK(holds(entry_of(bundle, "log.txt"), "the last line"));
  CHECK(holds(entry_of(bundle, "log.txt"), "connected"));
  CHECK(holds(entry_of(bundle, "host.txt"), "/proc/self/limits"));
  CHECK(json::parse(entry_of(bundle, "status.json")).at("connection").at("state") == "connected");
  const json doctor = json::parse(entry_of(bundle, "doctor.json"));
  CHECK(doctor.at("capabilities").size() >= 5);
  CHECK(doctor.at("ways").size() == 1);
  CHECK(json::parse(entry_of(bundle, "settings.json")).at("valid") == true);
  CHECK(holds(entry_of(bundle, "state-directory.txt"), "outbox.db"));
}

TEST_CASE("a bundle is a file for its owner alone, listed before it is written") {
  const TempDir directory;
  const std::string bundle = (directory.path() / "bundle.tar").string();
  auto environment = shell_path;
  environment["CHECKSTACK_SATELLITE_STATE_DIRECTORY"] = (directory.path() / "none").string();
  environment["CHECKSTACK_SATELLITE_STATUS_SOCKET"] = (directory.path() / "none.sock").string();
  const std::vector<std::string> words{"support-bundle", "--output", bundle, "--log",
                                       "/nonexistent/log"};
  const auto made = run_satellite(words, environment);
  INFO(made.standard_output << made.standard_error);
  REQUIRE(made.exit_code == 0);
  struct stat facts {};
  REQUIRE(::stat(bundle.c_str(), &facts) == 0);
  CHECK((facts.st_mode & 07777) == 0600);
  for (const std::string name : {"about.txt", "settings.json", "doctor.json", "host.txt"}) {
    INFO(name);
    CHECK(holds(made.standard_output, " bytes  checkstack-satellite-support/" + name + "\n"));
    CHECK_FALSE(entry_of(bundle, name).empty());
  }
  CHECK(made.standard_output.find("What is in it") < made.standard_output.find("wrote " + bundle));
  // What cannot be had is said in it.
  const std::string about = entry_of(bundle, "about.txt");
  for (const std::string missing : {"status.json: no satellite answers",
                                    "state-directory.txt: ", "log.txt: /nonexistent/log"}) {
    INFO(about);
    CHECK(holds(about, missing));
  }
  // What is there already stays as it is.
  const std::string before = file_text(bundle);
  const auto again = run_satellite(words, environment);
  CHECK(again.exit_code == 2);
  CHECK(holds(again.standard_error, "is there already"));
  CHECK(file_text(bundle) == before);
}

TEST_CASE("a bundle goes to standard output where that is no terminal, its list beside it") {
  const TempDir directory;
  auto environment = shell_path;
  environment["CHECKSTACK_SATELLITE_STATUS_SOCKET"] = "none";
  const auto made = run_satellite({"support-bundle", "--output", "-", "--json"}, environment);
  REQUIRE(made.exit_code == 0);
  const json list = json::parse(made.standard_error);
  CHECK(list.at("file") == "-");
  CHECK(list.at("entries").at(0).at("name") == "checkstack-satellite-support/about.txt");
  const std::string bundle = directory.write("bundle.tar", made.standard_output);
  CHECK(holds(entry_of(bundle, "about.txt"), "status.socket is none"));
}

TEST_CASE("settings that are wrong are told in the bundle, and the rest is there") {
  const TempDir directory;
  const std::string bundle = (directory.path() / "bundle.tar").string();
  const auto made = run_satellite({"support-bundle", "--output", bundle, "--config",
                                   directory.write("satellite.toml", "cor = 'x'\n")},
                                  shell_path);
  INFO(made.standard_error);
  REQUIRE(made.exit_code == 0);
  const json settings = json::parse(entry_of(bundle, "settings.json"));
  CHECK(settings.at("valid") == false);
  CHECK(holds(settings.at("problem"), "satellite.toml:1"));
  CHECK(holds(entry_of(bundle, "about.txt"), "doctor.json: the settings are wrong"));
  CHECK_FALSE(entry_of(bundle, "host.txt").empty());
}

TEST_CASE("the last lines of the journal are taken where there is one, and no more than fit") {
  const TempDir directory;
  const std::string program =
      directory.write("journalctl",
                      "#!/bin/sh\nhead -c 5000000 /dev/zero | tr '\\0' '\\n'\necho csat_Geheim\n"
                      "echo \"asked $*\"\n");
  ::chmod(program.c_str(), 0755);
  auto environment = shell_path;
  environment["PATH"] = directory.path().string() + ":" + environment.at("PATH");
  const std::string bundle = (directory.path() / "bundle.tar").string();
  const auto made = run_satellite({"support-bundle", "--output", bundle}, environment);
  INFO(made.standard_error);
  REQUIRE(made.exit_code == 0);
  const std::string log = entry_of(bundle, "log.txt");
  CHECK(holds(log, "--unit=checkstack-satellite.service"));
  CHECK_FALSE(holds(log, "Geheim"));
  CHECK(log.size() <= (1U << 20U));
}
