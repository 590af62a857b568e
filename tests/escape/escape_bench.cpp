#include "tests/escape/escape_bench.hpp"

#include "tests/support/temp_dir.hpp"

#include <sys/stat.h>
#include <unistd.h>
#include <catch2/catch.hpp>
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
    ScriptBench bench(Engine::none);
    bench.try_engines({Engine::native, Engine::bwrap});
    if (bench.facts.native_engine) found.push_back(Engine::native);
    if (bench.facts.wrapper == sandbox::Wrapper::bwrap) found.push_back(Engine::bwrap);
    return with_nsjail(std::move(found));
  }();
  return engines;
}

Engine each_present_engine() {
  const auto engines = confining_engines();
  REQUIRE_FALSE(engines.empty());
  return GENERATE_COPY(from_range(engines));
}

sandbox::Policy allowing_only(Engine engine, std::vector<std::string> allow) {
  sandbox::Policy policy = policy_for(engine);
  policy.network.mode = sandbox::NetworkMode::allowlist;
  policy.network.allow = std::move(allow);
  return policy;
}

EscapeBench::EscapeBench(Engine chosen, std::optional<sandbox::IdentityRange> identities,
                         Egress egress, const std::optional<sandbox::MacvlanSettings>& macvlan,
                         std::optional<std::uint32_t> landlock_abi_max)
    : ScriptBench(chosen, egress, macvlan, identities, sandbox::RootScripts::refused, "/tmp",
                  landlock_abi_max),
      engine(chosen) {
  // A user of this test alone: what counts per user must not count a neighbouring test.
  const auto own = static_cast<std::uint32_t>(50'000 + ::getpid() % 10'000);
  if (is_root()) settings.default_identity = Identity{own, own};
}

namespace {

sandbox::RunRequest request_with(const std::string& after_unpacking) {
  sandbox::RunRequest made =
      script("cat >escape_probe && chmod 700 escape_probe && " + after_unpacking);
  made.has_standard_input = true;
  made.standard_input = probe_image();
  made.environment = {{"SATELLITE_ESCAPE_NONCE", probe_nonce()}};
  return made;
}

std::string start_of_probe(const std::string& words) {
  return "./escape_probe " + probe_introduction() + " " + words;
}

/// The answers behind lines of `ATTEMPT index`, as many as there should be.
std::vector<Answer> answers_in(const std::string& output, std::size_t count) {
  std::vector<std::string> texts(count);
  std::istringstream lines(output);
  std::size_t current = count;
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string kind;
    std::size_t index = 0;
    if (words >> kind >> index && kind == "ATTEMPT" && index < count) {
      current = index;
    } else if (current < count) {
      texts[current] += line + "\n";
    }
  }
  std::vector<Answer> answers;
  for (const std::string& text : texts) answers.push_back(answer_in(text));
  return answers;
}

}  // namespace

sandbox::RunRequest EscapeBench::request(const std::string& words) const {
  return request_with("exec " + start_of_probe(words));
}

sandbox::RunRequest EscapeBench::request_running(const std::string& text) const {
  return request_with("probe='" + start_of_probe("") + "'\n" + text);
}

Answers EscapeBench::attempt_each(const std::vector<std::string>& all,
                                  const sandbox::Policy& policy) {
  std::string text;
  for (std::size_t i = 0; i < all.size(); ++i) {
    const std::string index = std::to_string(i);
    text += "echo ATTEMPT " + index + "; (mkdir " + index + " && cd " + index + " && exec ." +
            start_of_probe(all[i]) + ")\n";
  }
  Ran ran = run(request_with(text), policy);
  return {answers_in(ran.standard_output, all.size()), std::move(ran)};
}

std::string EscapeBench::attempt_together(const std::vector<std::string>& all,
                                          const sandbox::Policy& policy) {
  std::string starts, results;
  for (std::size_t i = 0; i < all.size(); ++i) {
    const std::string file = "answer" + std::to_string(i);
    starts += "$probe " + all[i] + " >" + file + " &\n";
    results += " " + file;
  }
  const Ran ran = run(request_running(starts + "wait; cat" + results), policy);
  std::istringstream lines(ran.standard_output);
  std::string text;
  for (const auto& words : all) {
    std::string line;
    std::getline(lines, line);
    text += words + ": " + answer_in(line).said + "\n";
  }
  const auto& report = ran.result.sandbox;
  if (report.engine != name_of(engine)) text += "by another engine\n";
  if (!report.enforced.network) text += "with an open network\n";
  if (!ran.standard_error.empty()) text += ran.standard_error;
  return text + ran.result.error.value_or("");
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
