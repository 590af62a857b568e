#include "agent/outbound/result_id.hpp"
#include "tests/fuzz/promises.hpp"
#include "tests/fuzz/targets.hpp"

namespace satellite::fuzz {

Broken check_result_id_target(std::string_view input) {
  const auto [id, rest] = divided(input);
  const auto seq = agent::seq_of_result_id(id);
  if (!seq) return std::nullopt;
  const std::string begin = R"({"type":"result",)", member = R"("resultId":")";
  const std::string frame = begin + std::string(rest);
  const std::string with_id = agent::with_result_id(frame, *seq);
  if (!with_id.starts_with(begin + member)) return "a result without its id";
  const std::size_t at = begin.size() + member.size();
  const std::string made = with_id.substr(at, with_id.find('"', at) - at);
  if (agent::seq_of_result_id(made) != seq) return "an id that names another message";
  if (!with_id.ends_with(rest)) return "a frame that its id has changed";
  return std::nullopt;
}

}  // namespace satellite::fuzz
