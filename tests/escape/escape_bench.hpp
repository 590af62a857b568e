#pragma once

#include "tests/support/script_bench.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace satellite::tests {

/// What one attempt of the escape probe came to.
///
/// Shape:  `said` is `ok` or the name of an errno; `refused` when the probe would not try;
///         `nothing` when it did not get to its answer. `ran` is of a run only, not of a room.
struct Answer {
  std::string said = "nothing", detail;
  Ran ran;
};

/// What several attempts of one run came to; `ran` of each is empty.
struct Answers {
  std::vector<Answer> all;
  Ran ran;
};

/// The probe's answer in the output of whatever ran it.
Answer answer_in(const std::string& output);

/// The engines with a sandbox that this host can run, each of which has to stand every attempt.
std::vector<sandbox::Engine> confining_engines();
/// GENERATE over them; there has to be one.
sandbox::Engine each_present_engine();

/// The usual policy with an allowlist.
sandbox::Policy allowing_only(sandbox::Engine engine, std::vector<std::string> allow);

/// A bench whose scripts are the escape probe: it comes as standard input, is written to the
/// scratch directory and executed there, so nothing of the product changes for it.
class EscapeBench : public ScriptBench {
 public:
  explicit EscapeBench(sandbox::Engine engine,
                       std::optional<sandbox::IdentityRange> identities = std::nullopt,
                       Egress egress = Egress::untried,
                       const std::optional<sandbox::MacvlanSettings>& macvlan = std::nullopt,
                       std::optional<std::uint32_t> landlock_abi_max = std::nullopt);

  /// `words` are a verb of the probe and what it needs.
  Answer attempt(const std::string& words, const sandbox::Policy& policy);
  Answer attempt(const std::string& words);
  /// Each by a process and in a directory of its own, one after the other, all in one run. Those
  /// after one that ended the run say `nothing`.
  Answers attempt_each(const std::vector<std::string>& all, const sandbox::Policy& policy);
  /// All of them by one run, side by side, since most wait for somebody who never answers; for each
  /// a line with its words and what the kernel said.
  std::string attempt_together(const std::vector<std::string>& all, const sandbox::Policy& policy);
  /// The same as a request, for tests that want to watch or to run several at once.
  sandbox::RunRequest request(const std::string& words) const;
  /// A shell script in which `$probe` starts the probe.
  sandbox::RunRequest request_running(const std::string& text) const;

  const sandbox::Engine engine;
};

/// `NONCE PID,MNT,USER`: what the probe wants to know before it tries anything.
std::string probe_introduction();
std::string probe_nonce();
const std::string& probe_path();
const std::string& probe_image();

}  // namespace satellite::tests
