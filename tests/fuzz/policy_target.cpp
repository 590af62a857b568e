#include "sandbox/planning/packet_filter.hpp"
#include "sandbox/policy/address_block.hpp"
#include "sandbox/policy/policy_json.hpp"
#include "tests/fuzz/promises.hpp"
#include "tests/fuzz/targets.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace satellite::fuzz {
namespace {

using namespace satellite::sandbox;
using nlohmann::json;

/// Whether every member that was written stands in what is in force.
bool holds_all(const json& in_force, const json& written) {
  if (!written.is_object()) return in_force == written;
  return std::all_of(written.items().begin(), written.items().end(), [&](const auto& member) {
    return in_force.contains(member.key()) && holds_all(in_force[member.key()], member.value());
  });
}

bool permits_more(const std::optional<std::uint64_t>& a, const std::optional<std::uint64_t>& b) {
  return b && (!a || *a > *b);
}

bool permits_more(const ResourceLimits& a, const ResourceLimits& b) {
  return permits_more(a.cpu_seconds, b.cpu_seconds) ||
         permits_more(a.memory_bytes, b.memory_bytes) ||
         permits_more(a.max_open_files, b.max_open_files) ||
         permits_more(a.max_processes, b.max_processes) ||
         permits_more(a.max_output_bytes, b.max_output_bytes) ||
         permits_more(a.max_file_size_bytes, b.max_file_size_bytes);
}

int openness_of(NetworkMode mode) {
  return mode == NetworkMode::unrestricted ? 2 : mode == NetworkMode::allowlist ? 1 : 0;
}

int openness_of(FilesystemMode mode) {
  return mode == FilesystemMode::off ? 2 : mode == FilesystemMode::scratch_plus_ro ? 1 : 0;
}

bool is_allowed_by(const std::string& entry, const std::vector<std::string>& list) {
  const auto block = parse_address_block(entry);
  return std::any_of(list.begin(), list.end(), [&](const std::string& candidate) {
    if (candidate == entry) return true;
    const auto whole = parse_address_block(candidate);
    return block && whole && contains(*whole, *block);
  });
}

/// One entry that is no address closes a whole list, and so do too many.
bool permits_nothing(const std::vector<std::string>& list) {
  return list.size() > allow_entries_max ||
         std::any_of(list.begin(), list.end(), [](const std::string& entry) {
           return !parse_address_block(entry).has_value();
         });
}

bool permits_more(const NetworkPolicy& a, const NetworkPolicy& b) {
  if (openness_of(a.mode) > openness_of(b.mode)) return true;
  if (b.deny_link_local_and_metadata && !a.deny_link_local_and_metadata) return true;
  if (a.mode != NetworkMode::allowlist || b.mode != NetworkMode::allowlist) return false;
  if (permits_nothing(a.allow)) return false;
  if (permits_nothing(b.allow)) return true;
  return !std::all_of(a.allow.begin(), a.allow.end(),
                      [&](const std::string& entry) { return is_allowed_by(entry, b.allow); });
}

/// Whether a script may do something under `a` that it may not under `b`.
bool permits_more(const Policy& a, const Policy& b) {
  if (!b.enabled) return false;
  if (!a.enabled) return true;
  return (b.on_unavailable == OnUnavailable::fail && a.on_unavailable != OnUnavailable::fail) ||
         permits_more(a.resources, b.resources) ||
         openness_of(a.filesystem.mode) > openness_of(b.filesystem.mode) ||
         permits_more(a.filesystem.scratch_bytes, b.filesystem.scratch_bytes) ||
         permits_more(a.network, b.network) ||
         (b.privilege.mode == PrivilegeMode::drop_to_uid &&
          a.privilege.mode != PrivilegeMode::drop_to_uid);
}

Broken check_stricter(const Policy& a, const Policy& b) {
  const Policy both = stricter_of(a, b);
  if (permits_more(both, a)) return "the stricter of two policies permits what the first does not";
  if (permits_more(both, b)) return "the stricter of two policies permits what the second does not";
  const Policy reversed = stricter_of(b, a);
  if (permits_more(both, reversed) || permits_more(reversed, both)) {
    return "the order of two policies changes what they permit together";
  }
  const auto again = parse_policy(to_json(both).dump());
  if (!again || *again != both) return "the stricter of two policies is no policy";
  return std::nullopt;
}

Broken check_policy(std::string_view text, std::optional<Policy>& policy) {
  const auto parsed = parse_policy(text);
  if (!parsed) return unless_fit_for_log(parsed.error(), 8192);
  const json written = json::parse(text, nullptr, false);
  const json in_force = to_json(*parsed);
  if (!holds_all(in_force, written)) return "a member that was written is not in force";
  const auto again = policy_from_json(in_force);
  if (!again) return "a policy written again is refused: " + again.error().message;
  if (*again != *parsed) return "a policy written again is another one";
  policy = *parsed;
  return std::nullopt;
}

}  // namespace

Broken check_policy_target(std::string_view input) {
  static const Policy shipped = shipped_default_policy();
  const auto [first_text, second_text] = divided(input);
  std::optional<Policy> first, second;
  if (auto broken = check_policy(first_text, first)) return broken;
  if (!first) return std::nullopt;
  if (auto broken = check_stricter(*first, shipped)) return broken;
  if (second_text.empty()) return std::nullopt;
  if (auto broken = check_policy(second_text, second)) return broken;
  return second ? check_stricter(*first, *second) : std::nullopt;
}

}  // namespace satellite::fuzz
