#include "tests/escape/escape_bench.hpp"

#include "tests/support/temp_dir.hpp"

#include <sys/stat.h>
#include <unistd.h>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>

namespace satellite::tests {

using sandbox::Engine;
using sandbox::Identity;

namespace {

ino_t namespace_number(const char* name) {
  struct stat facts {};
  if (::stat((std::string("/proc/self/ns/") + name).c_str(), &facts) != 0) {
    throw std::runtime_error("cannot read the namespaces of this process");
  }
  return facts.st_ino;
}

}  // namespace

std::string probe_nonce() {
  static const std::string nonce = unique_marker();
  return nonce;
}

std::string probe_introduction() {
  return probe_nonce() + " " + std::to_string(namespace_number("pid")) + "," +
         std::to_string(namespace_number("mnt")) + "," + std::to_string(namespace_number("user"));
}

const std::string& probe_image() {
  static const std::string image = [] {
    // An unprivileged pass of these tests may have been given a copy that it can read.
    const char* const copy = std::getenv("SATELLITE_ESCAPE_PROBE");
    const std::string path = copy != nullptr ? copy : SATELLITE_ESCAPE_PROBE;
    std::ifstream in(path, std::ios::binary);
    std::stringstream bytes;
    bytes << in.rdbuf();
    if (bytes.str().empty()) throw std::runtime_error("no escape probe at " + path);
    return bytes.str();
  }();
  return image;
}

const std::string& probe_path() {
  // Where every user may start it: a checkout below /root is closed to those of scripts.
  static const TempDir place;
  static const std::string path = [] {
    std::string file = place.write("escape_probe", probe_image());
    std::filesystem::permissions(place.path(), std::filesystem::perms(0755));
    std::filesystem::permissions(file, std::filesystem::perms(0755));
    return file;
  }();
  return path;
}

Answer answer_in(const std::string& output) {
  Answer answer;
  std::istringstream lines(output);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string kind, verb;
    words >> kind;
    if (kind == "REFUSED" || kind == "USAGE") {
      answer.said = kind == "USAGE" ? "usage" : "refused";
      answer.detail = line;
    } else if (kind == "RESULT") {
      words >> verb >> answer.said;
      std::getline(words >> std::ws, answer.detail);
    }
  }
  return answer;
}

std::vector<Engine> confining_engines() {
  static const std::vector<Engine> engines = [] {
    std::vector<Engine> found;
    const ScriptBench bench;
    if (bench.facts.native_engine) found.push_back(Engine::native);
    if (bench.facts.wrapper == sandbox::Wrapper::bwrap) found.push_back(Engine::bwrap);
    return found;
  }();
  return engines;
}

EscapeBench::EscapeBench(Engine chosen, std::optional<sandbox::IdentityRange> identities,
                         Egress egress)
    : ScriptBench(chosen, egress, std::nullopt, identities), engine(chosen) {
  // A user of this test alone: what counts per user must not count a neighbouring test.
  const auto own = static_cast<std::uint32_t>(50'000 + ::getpid() % 10'000);
  if (is_root()) settings.default_identity = Identity{own, own};
}

sandbox::RunRequest EscapeBench::request(const std::string& words) const {
  sandbox::RunRequest made =
      script("cat >escape_probe && chmod 700 escape_probe && exec ./escape_probe " +
             probe_introduction() + " " + words);
  made.has_standard_input = true;
  made.standard_input = probe_image();
  made.environment = {{"SATELLITE_ESCAPE_NONCE", probe_nonce()}};
  return made;
}

Answer EscapeBench::attempt(const std::string& words, const sandbox::Policy& policy) {
  Ran ran = run(request(words), policy);
  Answer answer = answer_in(ran.standard_output);
  if (answer.said == "nothing") {
    answer.detail = ran.result.error.value_or("") + ran.standard_error;
  }
  answer.ran = std::move(ran);
  return answer;
}

Answer EscapeBench::attempt(const std::string& words) {
  return attempt(words, policy_for(engine));
}

}  // namespace satellite::tests
