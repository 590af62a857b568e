#include "tests/devcore/frame_text.hpp"

#include <nlohmann/json.hpp>

namespace satellite::devcore {
namespace {

std::string quoted(const std::string& text) {
  return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

/// `,"scriptPackagesLockfileHash":…`, or nothing where the core says nothing.
std::string packages_member(const CoreState& state) {
  const auto& statement = state.packages.statement;
  if (!statement.made) return {};
  return R"(,"scriptPackagesLockfileHash":)" +
         (statement.lockfile_hash ? quoted(*statement.lockfile_hash) : std::string("null"));
}

}  // namespace

std::string type_in(std::string_view text) {
  const auto frame = nlohmann::json::parse(text, nullptr, false);
  if (!frame.is_object() || !frame.contains("type")) return {};
  return frame["type"].is_string() ? frame["type"].get<std::string>() : std::string();
}

std::string authenticated_frame(const std::string& client_id, const CoreState& state) {
  std::string text = R"({"type":"authenticated","satelliteId":)" + quoted(client_id) +
                     R"(,"assignments":)" + state.assignments;
  const auto& extensions = state.settings.extensions;
  if (!extensions.empty()) text += R"(,"extensions":)" + nlohmann::json(extensions).dump();
  if (state.policy) text += R"(,"sandboxPolicy":)" + *state.policy;
  return text + packages_member(state) + '}';
}

std::string policy_frame(const std::string& policy) {
  return R"({"type":"sandbox_policy","policy":)" + policy + '}';
}

std::string config_updated_frame(const CoreState& state) {
  return R"({"type":"config_updated","assignments":)" + state.assignments + packages_member(state) +
         '}';
}

}  // namespace satellite::devcore
