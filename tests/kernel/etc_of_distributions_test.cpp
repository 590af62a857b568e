// /etc as other distributions have it: what programs need is shown wherever its host keeps it.
#include "tests/support/in_child.hpp"
#include "tests/support/native_orders.hpp"
#include "tests/support/require_layer.hpp"
#include "tests/support/script_bench.hpp"
#include "tests/support/temp_dir.hpp"
#include "tests/support/test_network.hpp"

#include <sys/mount.h>
#include <sys/stat.h>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <utility>
#include <vector>

using namespace satellite;
using namespace satellite::sandbox;
using namespace satellite::tests;
namespace fs = std::filesystem;

namespace {

// Longer than what is copied instead of bound.
const std::string many_certificates(20'000, 'c');

void put(const fs::path& path, const std::string& text) {
  fs::create_directories(path.parent_path());
  fs::remove(path);
  std::ofstream(path) << text;
}

void put_link(const fs::path& path, const std::string& to) {
  fs::create_directories(path.parent_path());
  fs::remove_all(path);
  fs::create_symlink(to, path);
}

void as_opensuse() {
  put("/var/lib/ca-certificates/pem/root.pem", "one");
  put_link("/var/lib/ca-certificates/pem/0a.0", "root.pem");
  put("/var/lib/ca-certificates/ca-bundle.pem", many_certificates);
  put_link("/etc/ssl/certs", "../../var/lib/ca-certificates/pem");
  put_link("/etc/ssl/ca-bundle.pem", "../../var/lib/ca-certificates/ca-bundle.pem");
}

void as_fedora() {
  put("/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", many_certificates);
  put_link("/etc/pki/tls/certs/ca-bundle.crt", "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem");
  put_link("/etc/pki/tls/cert.pem", "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem");
  put_link("/etc/ssl/certs", "../pki/tls/certs");
  put_link("/etc/ssl/cert.pem", "/etc/pki/tls/cert.pem");
  put("/etc/krb5.conf.d/realm", "realm");
  put("/etc/java/java.conf", "java");
}

void as_arch() {
  fs::remove_all("/etc/ssl/certs");
  put("/etc/ca-certificates/extracted/tls-ca-bundle.pem", many_certificates);
  put_link("/etc/ssl/certs/ca-certificates.crt",
           "../../ca-certificates/extracted/tls-ca-bundle.pem");
  put_link("/etc/ssl/cert.pem", "../ca-certificates/extracted/tls-ca-bundle.pem");
}

void as_alpine() {
  fs::remove_all("/etc/ssl/certs");
  put("/etc/ssl/certs/ca-certificates.crt", "small");
  put_link("/etc/ssl/cert.pem", "certs/ca-certificates.crt");
  put("/etc/alpine-release", "3.20");
  put("/etc/ssh/ssh_known_hosts", "known");
  put_link("/etc/localtime", "/usr/share/zoneinfo/Etc/UTC");
}

/// What must not be shown, and links that lead nowhere.
void with_traps() {
  put("/etc/ssl/closed.pem", "secret");
  fs::permissions("/etc/ssl/closed.pem", fs::perms::owner_read);
  put_link("/etc/ssl/cert.pem", "closed.pem");
  put_link("/etc/ssl/ca-bundle.pem", "ca-bundle.pem");
  put_link("/etc/krb5.conf", "/var/lib/nowhere");
  put_link("/etc/odbc.ini", "/dev/zero");
}

/// The process's own /etc, a copy, and an own empty /var/lib. False where that fails.
bool take_own_etc(const std::string& place) {
  take_own_mounts();
  return ::mount("tmpfs", place.c_str(), "tmpfs", 0, "mode=0755") == 0 &&
         std::system(("cp -a /etc/. " + place).c_str()) == 0 &&
         ::mount(place.c_str(), "/etc", nullptr, MS_BIND, nullptr) == 0 &&
         ::mount("tmpfs", "/var/lib", "tmpfs", 0, "mode=0755") == 0;
}

struct Distribution {
  const char* name;
  void (*change)();
  const char* script;
  std::string seen;
};

std::vector<Distribution> distributions() {
  const std::string many = std::to_string(many_certificates.size()) + "\n";
  return {
      {"openSUSE", as_opensuse, "cd /etc/ssl; cat certs/root.pem certs/0a.0; wc -c <ca-bundle.pem",
       "oneone" + many},
      {"Fedora", as_fedora,
       "cd /etc; wc -c <ssl/certs/ca-bundle.crt; wc -c <ssl/cert.pem; wc -c <pki/tls/cert.pem; "
       "cat krb5.conf.d/realm java/java.conf",
       many + many + many + "realmjava"},
      {"Arch", as_arch, "cd /etc/ssl; wc -c <certs/ca-certificates.crt; wc -c <cert.pem",
       many + many},
      {"Alpine", as_alpine,
       "cd /etc; cat ssl/cert.pem alpine-release ssh/ssh_known_hosts; readlink localtime",
       "small3.20known/usr/share/zoneinfo/Etc/UTC\n"},
      {"traps", with_traps,
       "cd /etc; cat ssl/closed.pem ssl/cert.pem ssl/ca-bundle.pem krb5.conf odbc.ini 2>/dev/null; "
       "echo ran",
       "ran\n"},
  };
}

}  // namespace

TEST_CASE("certificates and settings are shown wherever a distribution keeps them") {
  if (!require_layer("root", is_root(), "only root can give itself another /etc")) return;
  const Engine engine = GENERATE(Engine::native, Engine::bwrap);
  for (const auto& distribution : distributions()) {
    const TempDir place;
    const auto run_here = [&] {
      ScriptBench bench(engine);
      const Ran ran = bench.run(script(distribution.script), policy_for(engine));
      return ran.standard_output + ran.standard_error + ran.result.error.value_or("");
    };
    const std::string seen = in_child([&]() -> std::string {
      if (!take_own_etc(place.path().string())) return "no own /etc";
      distribution.change();
      return run_here() + "|" + as_uid_65532(run_here);
    });
    INFO(distribution.name << " under " << name_of(engine));
    CHECK(seen == distribution.seen + "|" + distribution.seen);
  }
}

TEST_CASE("what changes behind a link of /etc is seen by the next run") {
  if (!require_layer("root", is_root(), "only root can give itself another /etc")) return;
  const TempDir place;
  const std::string seen = in_child([&]() -> std::string {
    if (!take_own_etc(place.path().string())) return "no own /etc";
    as_opensuse();
    ScriptBench bench(Engine::native);
    const Policy policy = policy_for(Engine::native);
    std::string text;
    const auto look = [&] {
      text += bench.run(script("cd /etc/ssl; head -c 1 ca-bundle.pem; cat certs/root.pem"), policy)
                  .standard_output;
    };
    const auto device = [&] { return bench.run(script("stat -c %d /"), policy).standard_output; };
    std::string last = device();
    const bool shares = eventually([&] {
      const std::string now = device();
      return !now.empty() && now == std::exchange(last, now);
    });
    if (!shares) return "no template";
    look();
    put("/var/lib/ca-certificates/ca-bundle.pem", std::string(20'000, 'd'));
    put("/var/lib/ca-certificates/pem/root.pem", "two");
    look();
    return text;
  });
  CHECK(seen == "conedtwo");
}
