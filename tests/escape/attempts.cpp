#include "tests/escape/attempts.hpp"

#include "tests/escape/escape_bench.hpp"
#include "tests/escape/host_targets.hpp"
#include "tests/escape/open_room.hpp"
#include "tests/support/require_layer.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <iostream>
#include <set>
#include <sstream>

namespace satellite::tests {
namespace {

using namespace sandbox;

std::string_view wanted(const Expected& expected) {
  return is_root() ? expected.as_root : expected.as_user;
}

/// What an engine may say. nsjail comes to the no of either of the others, unless told otherwise.
std::string wanted_under(Engine engine, const Attempt& attempt) {
  if (engine == Engine::bwrap) return std::string(wanted(attempt.bwrap));
  if (engine == Engine::native) return std::string(wanted(attempt.native));
  if (attempt.nsjail) return std::string(wanted(*attempt.nsjail));
  return std::string(wanted(attempt.native)) + "|" + std::string(wanted(attempt.bwrap));
}

bool matches(const std::string& said, std::string_view expected) {
  std::istringstream choices{std::string(expected)};
  for (std::string one; std::getline(choices, one, '|');) {
    if (one == said) return true;
  }
  return false;
}

/// Layers that an engine builds besides those of a report: every one that confines has them.
bool has_layer(Engine engine, std::string_view layer) {
  const std::set<std::string_view> ours{"masks", "closed-etc", "landlock"};
  return engine != Engine::none || !ours.contains(layer);
}

bool report_mentions(const EffectiveSandbox& report, std::string_view word) {
  return std::any_of(report.layers.begin(), report.layers.end(), [&](const LayerReport& layer) {
    return layer.mechanism.find(word) != std::string::npos ||
           layer.evidence.find(word) != std::string::npos;
  });
}

LayerState state_of(const EffectiveSandbox& report, Layer layer) {
  return report.layers.at(static_cast<std::size_t>(layer)).state;
}

/// An open layer must be called open.
void check_control_report(const Ran& ran, Off where) {
  REQUIRE(ran.report.has_value());
  const EffectiveSandbox& report = *ran.report;
  CHECK(state_of(report, Layer::network) != LayerState::enforced);
  if (where != Off::engine) return;
  CHECK(report.engine == "none");
  CHECK(state_of(report, Layer::filesystem) != LayerState::enforced);
  CHECK(report_mentions(report, "Seccomp 0"));
}

void check_confined_report(const Ran& ran, Engine engine) {
  REQUIRE(ran.report.has_value());
  const EffectiveSandbox& report = *ran.report;
  CHECK(report.engine == name_of(engine));
  for (const Layer layer :
       {Layer::resources, Layer::filesystem, Layer::network, Layer::privilege}) {
    INFO(name_of(layer));
    CHECK(state_of(report, layer) == LayerState::enforced);
  }
  CHECK(report_mentions(report, "Seccomp 2") == has_layer(engine, "seccomp"));
}

class Table {
 public:
  Table() : open_(Engine::none) {}

  void run(const std::vector<Attempt>& attempts) {
    for (const Engine engine : confining_engines()) confine(attempts, engine, Start::at_once);
    if (confining_engines().front() == Engine::native) {
      confine(attempts, Engine::native, Start::prepared);
    }
    for (const Off where : {Off::engine, Off::network}) release_in_run(attempts, where);
    for (const Attempt& attempt : attempts) release_outside(attempt);
  }

 private:
  std::string fill(std::string_view words, const ScriptBench& bench) {
    targets_.set("launcher", std::to_string(bench.launcher->pid()));
    targets_.set("area", bench.launcher->scratch_area());
    return targets_.filled_in(std::string(words));
  }

  /// A run that was prepared is another way to the same start: it has to stand the same.
  enum class Start { at_once, prepared };

  void confine(std::vector<Attempt> attempts, Engine engine, Start start) {
    EscapeBench bench(engine);
    if (start == Start::prepared) {
      // In the other order: a denial that an attempt before it caused would not be one here.
      std::ranges::reverse(attempts);
      bench.keep_prepared(1);
      REQUIRE(bench.run(script("true"), policy_for(engine)).result.exit_code == 0);
    }
    targets_.set("room", "/tmp");  // a file system of the run's own
    std::vector<std::string> words;
    for (const Attempt& attempt : attempts) words.push_back(fill(attempt.words, bench));
    const auto check_run = [&](const Ran& ran) {
      CHECK(ran.result.was_prepared == (start == Start::prepared));
      check_confined_report(ran, engine);
    };
    const auto wait = [&] {
      if (start == Start::prepared) REQUIRE(bench.wait_until_prepared(1));
    };
    wait();
    const Answers together = bench.attempt_each(words, policy_for(engine));
    check_run(together.ran);
    for (std::size_t i = 0; i < attempts.size(); ++i) {
      const Attempt& attempt = attempts[i];
      INFO(attempt.number << " " << attempt.words << " under " << name_of(engine)
                          << (start == Start::prepared ? ", prepared" : ""));
      const std::string expected = wanted_under(engine, attempt);
      Answer answer = together.all[i];
      // One before it may have ended the run or be in its way: it is judged by a run of its own.
      if (!matches(answer.said, expected)) {
        wait();
        answer = bench.attempt(words[i]);
        check_run(answer.ran);
      }
      judge(answer, expected, attempt.number, words[i], std::string(name_of(engine)));
      if (!has_layer(engine, attempt.layer)) absent_.insert(std::string(attempt.layer));
    }
    for (const auto& layer : absent_) {
      std::cout << "layer absent: " << layer << " (engine " << name_of(engine) << ")\n";
      const bool elsewhere = std::ranges::any_of(
          confining_engines(), [&](Engine other) { return has_layer(other, layer); });
      CHECK_FALSE((must_work(layer) && !elsewhere));
    }
    absent_.clear();
  }

  static void judge(const Answer& answer, std::string_view expected, std::string_view number,
                    std::string_view words, const std::string& where) {
    INFO("said " << answer.said << ": " << answer.detail);
    if (!matches(answer.said, expected)) {
      std::cerr << number << " '" << words << "' " << where << ": " << answer.said << " ("
                << answer.detail << "), not " << expected << "\n";
    }
    CHECK(matches(answer.said, expected));
  }

  static std::string_view words_of_control(const Attempt& attempt) {
    return attempt.control.words.empty() ? attempt.words : attempt.control.words;
  }

  /// The controls that a run without an engine, or with the host's network, makes.
  void release_in_run(const std::vector<Attempt>& all, Off where) {
    std::vector<Attempt> attempts;
    for (const Attempt& attempt : all) {
      if (attempt.control.where == where) attempts.push_back(attempt);
    }
    if (attempts.empty()) return;
    EscapeBench& bench = where == Off::engine ? open_ : networked();
    Policy policy = policy_for(bench.engine);
    policy.network.mode = NetworkMode::unrestricted;
    policy.network.deny_link_local_and_metadata = false;
    std::vector<std::string> words;
    for (const Attempt& attempt : attempts) {
      words.push_back(fill(words_of_control(attempt), bench));
    }
    const Answers together = bench.attempt_each(words, policy);
    check_control_report(together.ran, where);
    for (std::size_t i = 0; i < attempts.size(); ++i) {
      INFO(attempts[i].number << " " << words[i] << " with the layer off");
      const std::string_view expected = wanted(attempts[i].control.expected);
      Answer answer = together.all[i];
      if (!matches(answer.said, expected)) {
        answer = bench.attempt(words[i], policy);
        check_control_report(answer.ran, where);
      }
      judge(answer, expected, attempts[i].number, words[i], "with the layer off");
    }
  }

  /// The controls that need no run: in a room, and as an unprivileged user of the host.
  void release_outside(const Attempt& attempt) {
    const Control& control = attempt.control;
    if (control.where != Off::room && control.where != Off::plainly) return;
    const auto given = words_of_control(attempt);
    INFO(attempt.number << " " << given << " with the layer off");
    targets_.set("room", "{room}");
    std::string words(given);
    if (words.find("{room}") == std::string::npos) words = fill(given, open_);
    const Answer answer =
        control.where == Off::room ? attempt_in_room(words) : attempt_plainly(words);
    judge(answer, wanted(control.expected), attempt.number, given, "with the layer off");
  }

  EscapeBench& networked() {
    if (!networked_) networked_ = std::make_unique<EscapeBench>(confining_engines().front());
    return *networked_;
  }

  HostTargets targets_;
  EscapeBench open_;
  std::unique_ptr<EscapeBench> networked_;
  std::set<std::string> absent_;
};

}  // namespace

void run_attempts(const std::vector<Attempt>& attempts) {
  REQUIRE_FALSE(confining_engines().empty());
  Table().run(attempts);
}

}  // namespace satellite::tests
