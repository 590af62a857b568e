#include "sandbox/planning/shell_quote.hpp"
#include "tests/vectors/captured_text.hpp"
#include "tests/vectors/masked_text.hpp"
#include "vectors/conformance_case.hpp"

namespace satellite::vectors {
namespace {

using namespace sandbox;

std::optional<ByteCount> cap_of(const json& in) {
  const auto& cap = in.at("maxOutputBytes");
  if (cap.is_null()) return std::nullopt;
  return ByteCount{cap.get<std::uint64_t>()};
}

json truncate_answer(const json& test_case, const json&) {
  const auto& in = test_case.at("in");
  const auto text = truncate_captured(in.at("stdout"), in.at("stderr"), cap_of(in));
  return {{"stdout", text.standard_output},
          {"stderr", text.standard_error},
          {"truncated", text.truncated}};
}

std::string bytes_of(const std::string& hex) {
  std::string bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
    bytes += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
  }
  return bytes;
}

json capture_answer(const json& test_case, const json&) {
  const auto& in = test_case.at("in");
  const std::string bytes = bytes_of(in.at("hex"));
  const bool to_output = in.at("stream") == "stdout";
  const auto text = captured_text(to_output ? bytes : std::string(),
                                  to_output ? std::string() : bytes, cap_of(in));
  return {{"text", to_output ? text.standard_output : text.standard_error},
          {"truncated", text.truncated}};
}

json mask_answer(const json& test_case, const json&) {
  const auto& in = test_case.at("in");
  return mask_secrets(in.at("text"), in.at("values"));
}

json mask_deep_answer(const json& test_case, const json&) {
  const auto in = nlohmann::ordered_json::parse(test_case.at("inText").get<std::string>());
  return json::parse(mask_secrets_deep(in.at("value"), in.at("values")).dump());
}

json quote_answer(const json& test_case, const json&) {
  return shell_quote(test_case.at("in").get<std::string>());
}

}  // namespace

std::vector<ConformanceCase> capture_conformance_cases() {
  return {{"truncateCapturedOutput", truncate_answer, out},
          {"captureToResult", capture_answer, out},
          {"maskSecrets", mask_answer, out},
          {"maskSecretsDeep", mask_deep_answer, out},
          {"shellQuote", quote_answer, out}};
}

}  // namespace satellite::vectors
