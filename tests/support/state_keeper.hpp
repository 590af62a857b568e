#pragma once

#include "sandbox/state/packed_state.hpp"
#include "sandbox/state/state_file.hpp"
#include "tests/support/script_bench.hpp"

#include <string>
#include <utility>

namespace satellite::tests {

/// What one check keeps between its runs, as the agent would keep it.
struct StateKeeper {
  static constexpr ByteCount size_max{1U << 20U};
  StateKeeper() = default;
  explicit StateKeeper(std::string kept) : packed(std::move(kept)) {}
  std::string packed{};

  /// The request with what is kept; `taken` takes what the run left.
  sandbox::RunRequest begin(sandbox::RunRequest request) {
    file_ = *sandbox::make_state_file(packed);
    request.state = sandbox::KeptState{file_, {}, {}};
    return request;
  }
  void take(const sandbox::RunResult& result) {
    if (result.has_new_state) packed = *sandbox::read_state_file(file_->get(), size_max);
    file_.reset();
  }
  Ran run(ScriptBench& bench, sandbox::RunRequest request, const sandbox::Policy& policy) {
    Ran ran = bench.run(begin(std::move(request)), policy);
    take(ran.result);
    return ran;
  }

 private:
  std::shared_ptr<const UniqueFd> file_;
};

/// What the report says of a state, a line each.
inline std::string state_notes_of(const sandbox::RunResult& result) {
  std::string text;
  for (const auto& note : result.sandbox.notes) {
    if (note.note.starts_with("state")) text += note.note + "\n";
  }
  return text;
}

}  // namespace satellite::tests
