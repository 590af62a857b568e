#include "tests/fuzz/targets.hpp"

#include "protocol/decode.hpp"
#include "protocol/encode.hpp"
#include "tests/devcore/codec/core_codec.hpp"
#include "tests/fuzz/promises.hpp"
#include "tests/support/repeated_names.hpp"
#include "tests/unit/protocol/run_stream_simulation.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <variant>

namespace satellite::fuzz {
namespace {

using namespace satellite::protocol;
using nlohmann::json;

/// Small, so that a fuzzer reaches every bound.
constexpr JsonBounds bounds{ByteCount{4096}, 16, 64};

json parse(std::string_view text) {
  return json::parse(text, nullptr, false);
}

/// Nothing that came from a core may stand in an error of these doors, so ASCII is all there is.
bool is_plain(const Error& error) {
  return is_fit_for_log(error) && std::all_of(error.message.begin(), error.message.end(),
                                              [](char c) { return c >= ' ' && c <= '~'; });
}

/// What was carried on as text must be what a parser sees in the whole frame.
bool carries(const std::string& carried, const json& whole, const char* member) {
  return whole.is_discarded() || !whole.contains(member) || parse(carried) == whole[member];
}

bool carries_what_stood_there(const CoreMessage& message, const json& whole) {
  if (const auto* policy = std::get_if<SandboxPolicy>(&message)) {
    return carries(policy->policy_json, whole, "policy");
  }
  if (const auto* run = std::get_if<RunScript>(&message)) {
    return carries(run->context_json.value_or("null"), whole, "context") &&
           (whole.is_discarded() || whole["script"] == run->script);
  }
  if (const auto* hello = std::get_if<Authenticated>(&message)) {
    return carries(hello->sandbox_policy_json.value_or("null"), whole, "sandboxPolicy");
  }
  if (const auto* update = std::get_if<ConfigUpdated>(&message)) {
    const AssignmentSet& set = update->assignments;
    return whole.is_discarded() ||
           set.accepted.size() + set.rejected.size() == whole["assignments"].size();
  }
  return true;
}

bool same(const ScriptOutput& a, const ScriptOutput& b) {
  return a.run_id == b.run_id && a.seq == b.seq && a.stream == b.stream && a.offset == b.offset &&
         a.bytes == b.bytes;
}

/// The quick scanner and the general parser must agree; a leading space keeps the scanner out.
std::optional<std::string> compare_output_readers(std::string_view frame) {
  const auto quick = devcore::decode_agent_message(frame);
  const auto general = devcore::decode_agent_message(" " + std::string(frame));
  if (quick.has_value() != general.has_value()) return "the two readers of output disagree";
  if (!quick) return std::nullopt;
  const auto* a = std::get_if<ScriptOutput>(&*quick);
  const auto* b = std::get_if<ScriptOutput>(&*general);
  if (a != nullptr && (b == nullptr || !same(*a, *b))) return "the two readers read differently";
  return std::nullopt;
}

}  // namespace

std::optional<std::string> check_bounded_json_target(std::string_view input) {
  const auto parsed = parse_bounded_json(input, bounds);
  const auto checked = check_bounded_json(input, bounds);
  if (parsed.has_value() != checked.has_value()) return "the two doors disagree";
  const bool valid = json::accept(input) && input.find('\0') == std::string_view::npos &&
                     !tests::has_repeated_name(input);
  if (parsed && !valid) return "accepted what is no JSON, or has a name twice";
  if (!parsed && valid && parsed.error().code != ErrorCode::limit_exceeded) {
    return "refused what is JSON";
  }
  if (!parsed && !is_plain(parsed.error())) return "an error that is not fit for a log";
  return std::nullopt;
}

std::optional<std::string> check_decode_target(std::string_view input) {
  const auto message = decode(input);
  if (!message) {
    return is_plain(message.error())
               ? std::nullopt
               : std::optional<std::string>("an error that is not fit for a log");
  }
  if (!carries_what_stood_there(*message, parse(input))) return "carried text is not what stood";
  const auto again = decode(devcore::encode_core_message(*message));
  if (!again) return "a message said again is refused: " + again.error().message;
  if (again->index() != message->index()) return "a message said again is another one";
  return std::nullopt;
}

std::optional<std::string> check_output_target(std::string_view input) {
  const ScriptOutput output{RunId("run"), input.size(), protocol::OutputStream::standard_error, 7,
                            std::string(input.substr(0, limits::output_chunk_size_max.value))};
  const std::string frame = encode(output);
  const auto read = devcore::decode_agent_message(frame);
  if (!read || !std::holds_alternative<ScriptOutput>(*read)) return "output cannot be read back";
  if (!same(output, std::get<ScriptOutput>(*read))) return "output is read back changed";
  const auto disagreement = compare_output_readers(frame);
  return disagreement ? disagreement : compare_output_readers(input);
}

std::optional<std::string> check_run_stream_target(std::string_view input) {
  // One byte is one step of the simulation, so a long input is only slow.
  // A small window meets the same decisions for a sixteenth of the bytes.
  return tests::simulate_run_stream(input.substr(0, 600), ByteCount{4U << 10U});
}

}  // namespace satellite::fuzz
