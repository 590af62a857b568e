#pragma once

#include "tests/devcore/secret_replies.hpp"

#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace satellite::tests {

/// One thing the core said, and what the satellite of the recording answered until the next.
struct RecordedStage {
  nlohmann::json said;
  nlohmann::json assignments;                     ///< those in force then
  std::map<std::string, nlohmann::json> results;  ///< by check and environment, the last of each
};

/// A recorded conversation, taken apart for replay: lines of JSON as devcore's transcript writes
/// them, or as they were recorded between the existing core and satellite.
struct Recording {
  std::vector<RecordedStage> stages;  ///< the first one is `authenticated`
  devcore::SecretReplies secrets;
  std::vector<std::string> config_secrets;  ///< values that the existing satellite does not mask
};

Recording recording_in(const std::string& path);

/// Whose result it is: check and environment.
std::string result_key(const nlohmann::json& result);

/// A result without ids of the moment, times, and what we add to it.
nlohmann::json comparable(nlohmann::json result);

/// What this satellite answers where the recorded one answered `theirs`.
///
/// Shape:  three differences, each on purpose: a value that came as a config secret is masked; a
///         collector nobody knows is an error instead of left out; an inline script is an error
///         until there is a module runtime. And the recording's short form of long output,
///         `x<+100 x>`, is written out.
nlohmann::json expected_of_ours(const Recording& recording, const RecordedStage& stage,
                                nlohmann::json theirs);

}  // namespace satellite::tests
