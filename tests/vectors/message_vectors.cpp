#include "vectors/message_vectors.hpp"

#include "protocol/decode.hpp"
#include "sandbox/policy/policy_json.hpp"
#include "tests/devcore/codec/core_codec.hpp"

#include <nlohmann/json.hpp>
#include <optional>
#include <variant>

namespace satellite::vectors {
namespace {

using namespace satellite::protocol;

/// Why the agent would not take this message as a whole; nothing if it would.
std::optional<std::string> objection(const Result<CoreMessage>& message) {
  if (!message) return message.error().message;
  if (std::holds_alternative<UnknownMessage>(*message)) return "the type is unknown";
  if (const auto* rejected = std::get_if<RejectedRunScript>(&*message)) return rejected->message;
  std::optional<std::string> policy;
  const AssignmentSet* assignments = nullptr;
  if (const auto* authenticated = std::get_if<Authenticated>(&*message)) {
    policy = authenticated->sandbox_policy_json;
    assignments = &authenticated->assignments;
  } else if (const auto* updated = std::get_if<ConfigUpdated>(&*message)) {
    assignments = &updated->assignments;
  } else if (const auto* pushed = std::get_if<SandboxPolicy>(&*message)) {
    policy = pushed->policy_json;
  }
  if (assignments != nullptr && !assignments->rejected.empty()) {
    return assignments->rejected.front().why;
  }
  if (!policy) return std::nullopt;
  const auto judged = sandbox::parse_policy(*policy);
  return judged ? std::nullopt : std::optional(judged.error().message);
}

std::optional<std::string> core_to_satellite(const json& test_case) {
  return objection(decode(test_case.at("raw").get<std::string>()));
}

std::optional<std::string> satellite_to_core(const json& test_case) {
  const auto message = devcore::decode_agent_message(test_case.at("raw").get<std::string>());
  return message ? std::nullopt : std::optional(message.error().message);
}

VectorOutcome compare(const json& test_case, const std::optional<std::string>& refusal) {
  const bool accept = test_case.at("accept").get<bool>();
  if (accept == !refusal.has_value()) return {true, {}};
  if (accept) return {false, "must be accepted, but: " + *refusal};
  return {false, "must be refused, but was accepted"};
}

}  // namespace

VectorOutcome check_core_to_satellite(const json& test_case) {
  return compare(test_case, core_to_satellite(test_case));
}

VectorOutcome check_satellite_to_core(const json& test_case) {
  return compare(test_case, satellite_to_core(test_case));
}

std::vector<ConformanceCase> message_conformance_cases() {
  const auto core = [](const json& test_case, const json&) -> json {
    return {{"accept", !core_to_satellite(test_case).has_value()}};
  };
  const auto satellite = [](const json& test_case, const json&) -> json {
    return {{"accept", !satellite_to_core(test_case).has_value()}};
  };
  return {{"CoreToSatelliteMessageSchema", core, accepted_only},
          {"SatelliteToCoreMessageSchema", satellite, accepted_only}};
}

}  // namespace satellite::vectors
