#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

namespace satellite::vectors {

using nlohmann::json;

/// One recorded function and ours beside it.
///
/// Shape:  both answers are made comparable as JSON; `file` is the whole vector file, for what all
///         its cases share (the imagined world). `inText` of a case is its input with the keys in
///         their order.
struct ConformanceCase {
  std::string function;
  std::function<json(const json& test_case, const json& file)> ours;
  std::function<json(const json& test_case)> recorded;
};

inline json out(const json& test_case) {
  return test_case.at("out");
}
/// For functions of which only the verdict was recorded.
inline json accepted_only(const json& test_case) {
  return {{"accept", test_case.at("accept")}};
}

/// One way in which we differ from the recording on purpose.
///
/// Shape:  `adjust` answers what we do instead, given what is recorded; nothing where the
///         difference does not concern the case. So a difference is not a hole: the other answer is
///         checked too.
struct Difference {
  std::string function;
  std::string predicate;
  std::function<std::optional<json>(const json& test_case, const json& recorded)> adjust;
};

// Each table is in the file named after it. A function of a later part joins by one line here.
std::vector<ConformanceCase> policy_conformance_cases();
std::vector<ConformanceCase> plan_conformance_cases();
std::vector<ConformanceCase> capture_conformance_cases();
std::vector<ConformanceCase> check_conformance_cases();
std::vector<ConformanceCase> module_conformance_cases();

std::vector<Difference> plan_differences();
std::vector<Difference> environment_differences();
std::vector<Difference> egress_differences();
std::vector<Difference> network_differences();
std::vector<Difference> module_differences();

}  // namespace satellite::vectors
