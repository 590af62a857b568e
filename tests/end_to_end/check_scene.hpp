#pragma once

#include "tests/end_to_end/scene.hpp"

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace satellite::tests {

using nlohmann::json;

/// An assignment of one shell collector `c1` that runs every `seconds`.
json shell_check(const std::string& config_id, const std::string& script, double seconds = 3600);

/// The same check, whose script gets the secret `token` as API_TOKEN.
json with_token(json check);

/// A core that relays these checks, with the default policy, and a satellite that runs them.
Scene::Options with_checks(const std::vector<json>& checks, devcore::SecretReplies secrets = {});

std::string as_set(const std::vector<json>& checks);

/// Every result of this check that has come so far, in order.
std::vector<json> results_of(Scene& scene, const std::string& config_id);
/// How many runs they tell of: where a connection broke before a result was confirmed, the same
/// result, to the byte, is said again on the next one.
std::size_t runs_of(Scene& scene, const std::string& config_id);
/// Waits until there are `count` of them and gives the last of these; also looks whether every
/// frame kept the contract.
json nth_result(Scene& scene, const std::string& config_id, std::size_t count = 1);
/// What collector `c1` reported in it.
json collector_of(const json& result);

}  // namespace satellite::tests
