// File systems of the host that are shown by their sizes: nothing in them is read, named, watched,
// entered, reached or changed, whether it is there or not. (A of the list)
#include "tests/escape/escape_bench.hpp"
#include "tests/support/host_disks.hpp"
#include "tests/support/in_child.hpp"
#include "tests/support/require_layer.hpp"
#include "tests/support/test_network.hpp"

#include <sys/xattr.h>
#include <catch2/catch.hpp>
#include <cstdint>
#include <cstdlib>
#include <sstream>

using namespace satellite::sandbox;
using namespace satellite::tests;

namespace {

enum class Satellite { of_root, unprivileged };
enum class Beginning { at_once, prepared };

/// What is tried at one place, as words of the probe.
std::vector<std::string> attempts_at(const std::string& place) {
  std::vector<std::string> all;
  for (const char* verb :
       {"list-directory", "enter", "watch", "list-directory {}/..", "open-read {}/../secret"}) {
    std::string words(verb);
    const auto at = words.find("{}");
    all.push_back(at == std::string::npos ? words + " " + place : words.replace(at, 2, place));
  }
  for (const char* name : {"secret", "pub/secret", "pub", "nothing"}) {
    for (const char* verb : {"open-read", "open-write", "look-at", "open-as-path", "watch",
                             "read-attributes", "shorten", "hard-link"}) {
      all.push_back(std::string(verb) + " " + place + "/" + name);
    }
  }
  for (const char* words : {"connect-path {}/socket", "execute {}/program", "create-file {}/new",
                            "make-directory {}/new", "enter {}/pub", "list-directory {}/pub"}) {
    all.push_back(std::string(words).replace(std::string(words).find("{}"), 2, place));
  }
  return all;
}

std::string answers_other_than(const std::string& wanted, const std::string& text) {
  std::istringstream lines(text);
  std::string others;
  for (std::string line; std::getline(lines, line);) {
    if (!line.ends_with(": " + wanted)) others += line + "\n";
  }
  return others;
}

std::string in_mounts_with(const HostDisks& disks, Satellite satellite,
                           const std::function<std::string()>& body) {
  static_cast<void>(probe_image());  // which that user may not be able to read
  return in_child([&] {
    take_own_mounts();
    disks.mount_all();
    return satellite == Satellite::of_root ? body() : as_uid_65532(body);
  });
}

bool can_have_disks() {
  return require_layer("loop", HostDisks::is_possible(), "needs root, loop devices and mkfs.ext4");
}

/// As setfacl(1) does: reading and entering for this user.
bool open_by_list(const std::string& path, std::uint32_t user) {
  struct Entry {
    std::uint16_t tag, allowed;
    std::uint32_t id;
  };
  struct {
    std::uint32_t version;
    Entry entries[5];
  } const list{2,
               {{0x01, 7, ~0U}, {0x02, 5, user}, {0x04, 0, ~0U}, {0x10, 5, ~0U}, {0x20, 0, ~0U}}};
  return ::setxattr(path.c_str(), "system.posix_acl_access", &list, sizeof(list), 0) == 0;
}

bool shows(const EffectiveSandbox& report, const std::string& grant) {
  for (const auto& one : report.grants) {
    if (one == grant) return true;
  }
  return false;
}

}  // namespace

TEST_CASE("in a disk that is shown nothing is reached, whether it is there or not", "[disks]") {
  if (!can_have_disks()) return;
  const auto satellite = GENERATE(Satellite::of_root, Satellite::unprivileged);
  const auto beginning = GENERATE(Beginning::at_once, Beginning::prepared);
  const std::string name = GENERATE("closed", "plain", "open");
  // Without privilege nothing stands for it, so that it is not there at all.
  if (satellite == Satellite::unprivileged && name == "plain") return;
  const HostDisks disks;
  const std::string seen = in_mounts_with(disks, satellite, [&]() -> std::string {
    EscapeBench bench(Engine::native);
    bench.settings.host_view.disks = true;
    const Policy policy = policy_for(Engine::native);
    if (beginning == Beginning::prepared) {
      bench.keep_prepared(1);
      bench.run(script("true"), policy);
      if (!bench.wait_until_prepared(1)) return "not prepared";
    }
    const Ran sized =
        bench.run(script("df " + disks.at(name) + " >/dev/null && echo sized"), policy);
    if (sized.standard_output != "sized\n") return "not shown: " + sized.standard_error;
    if (!shows(sized.result.sandbox, "disk " + disks.at(name))) return "not reported";
    if (beginning == Beginning::prepared && !bench.wait_until_prepared(1)) return "not prepared";
    return answers_other_than("EACCES",
                              bench.attempt_together(attempts_at(disks.at(name)), policy));
  });
  INFO(name);
  CHECK(seen.empty());
}

TEST_CASE("without a sandbox the same attempts reach what is in those disks", "[disks]") {
  if (!can_have_disks()) return;
  const HostDisks disks;
  const std::string name = GENERATE("closed", "plain", "open");
  const std::string seen = in_mounts_with(disks, Satellite::of_root, [&]() -> std::string {
    EscapeBench bench(Engine::none);
    const std::string place = disks.at(name);
    return answers_other_than(
        "ok", bench.attempt_together(
                  {"list-directory " + place, "enter " + place, "watch " + place,
                   "open-read " + place + "/secret", "open-write " + place + "/secret",
                   "look-at " + place + "/pub/secret", "open-as-path " + place + "/pub",
                   "read-attributes " + place + "/secret", "connect-path " + place + "/socket",
                   "execute " + place + "/program", "list-directory " + place + "/pub",
                   "shorten " + place + "/secret"},
                  policy_for(Engine::none)));
  });
  INFO(name);
  CHECK(seen.empty());
}

TEST_CASE("no mount of a run with disks takes a write but its own, and none can be changed",
          "[disks]") {
  if (!can_have_disks()) return;
  const auto satellite = GENERATE(Satellite::of_root, Satellite::unprivileged);
  const HostDisks disks;
  const std::string seen = in_mounts_with(disks, satellite, [&]() -> std::string {
    EscapeBench bench(Engine::native);
    bench.settings.host_view.disks = true;
    std::string text;
    const Answer everywhere = bench.attempt("write-everywhere");
    std::istringstream places(everywhere.detail);
    for (std::string place; places >> place;) {
      const bool is_own =
          place == "/tmp" || place == "/dev/shm" || place.find("/csat-") != std::string::npos;
      if (!is_own) text += "takes a write: " + place + "\n";
    }
    if (everywhere.said != "ok") text += "nothing takes a write: " + everywhere.said + "\n";
    const std::string place = disks.at("closed");
    const std::vector<std::string> changes{
        "remount-writable " + place, "clear-read-only " + place,    "unmount " + place,
        "clone-tree " + place,       "bind " + place + " /tmp",     "remount-writable /",
        "clear-read-only /",         "move-tree " + place + " /tmp"};
    for (const auto& words : changes) {
      const Answer answer = bench.attempt(words);
      if (answer.said != "EPERM") text += words + ": " + answer.said + "\n";
    }
    const Answer listed = bench.attempt("list-directory /");
    return text + (listed.said == "EACCES" ? "" : "the root is listed: " + listed.said);
  });
  CHECK(seen.empty());
}

TEST_CASE("a disk gives away no name, date or owner of anything in it", "[disks]") {
  if (!can_have_disks()) return;
  const HostDisks disks;
  const std::string seen = in_mounts_with(disks, Satellite::of_root, [&]() -> std::string {
    EscapeBench bench(Engine::native);
    bench.settings.host_view.disks = true;
    const std::string place = disks.at("plain");
    const std::string prepare = "mkdir -m 700 " + place + "/told && chown 0:4242 " + place +
                                "/told && touch -d @86400 " + place + "/told";
    if (std::system(prepare.c_str()) != 0) return "prepare";
    const Ran ran = bench.run(script("cat /proc/self/mountinfo; stat -c '%g %Y ' " + place),
                              policy_for(Engine::native));
    std::string text;
    for (const char* part : {"/told", "4242 ", " 86400 "}) {
      if (ran.standard_output.find(part) != std::string::npos) text += part;
    }
    const bool is_shown = shows(ran.result.sandbox, "disk " + place) &&
                          ran.standard_output.find(place + " ro") != std::string::npos;
    return text + (is_shown ? "" : "not shown: " + ran.standard_output);
  });
  CHECK(seen.empty());
}

TEST_CASE("a directory with a list of accesses or of the scripts' user stands for no disk",
          "[disks]") {
  if (!can_have_disks()) return;
  const HostDisks disks;
  const std::string seen = in_mounts_with(disks, Satellite::of_root, [&]() -> std::string {
    EscapeBench bench(Engine::native);
    bench.settings.host_view.disks = true;
    const std::string place = disks.at("closed");
    const auto own = std::to_string(bench.settings.default_identity->uid);
    // One of the scripts' user, and one that is open to it by a list; else closed to all.
    const std::string prepare = "cd " + place +
                                " && rmdir lost+found && mkdir -m 700 aa && chown " + own +
                                " aa && echo SECRET > aa/secret && mkdir -m 700 bb && echo SECRET "
                                "> bb/secret && chmod 644 aa/secret bb/secret";
    if (std::system(prepare.c_str()) != 0) return "prepare";
    if (!open_by_list(place + "/bb", bench.settings.default_identity->uid)) return "acl";
    const Ran ran = bench.run(script("cat " + place + "/secret 2>&1; ls " + place + " 2>&1; df " +
                                     place + " >/dev/null && echo sized"),
                              policy_for(Engine::native));
    const bool is_seen = ran.standard_output.find("SECRET") != std::string::npos ||
                         ran.standard_output.find("sized\n") == std::string::npos;
    return is_seen ? ran.standard_output + ran.result.error.value_or("") : "";
  });
  CHECK(seen.empty());
}
