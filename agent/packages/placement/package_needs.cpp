#include "agent/packages/placement/package_needs.hpp"

#include "agent/packages/manifest/package_name.hpp"
#include "protocol/vocabulary/bounded_json.hpp"

#include <functional>
#include <nlohmann/json.hpp>
#include <utility>

namespace satellite::agent {
namespace {

using nlohmann::json;
using namespace satellite::byte_literals;

// The largest of 2,300 packages has 130 KiB; what it needs is a small part of that.
constexpr JsonBounds package_json_bounds{4_MiB, 64, 200'000};
constexpr std::size_t needs_max = 4'096;

const json& member_of(const json& object, const char* name) {
  static const json nothing = json::object();
  const auto found = object.is_object() ? object.find(name) : object.end();
  return object.is_object() && found != object.end() && found->is_object() ? *found : nothing;
}

bool is_optional_peer(const json& meta, const std::string& name) {
  const json& entry = member_of(meta, name.c_str());
  const auto optional = entry.find("optional");
  return optional != entry.end() && *optional == true;
}

/// `npm:other@^1` asks for another package under this name.
PackageNeed need_of(PackageNeed::Kind kind, const std::string& alias, const std::string& spec) {
  constexpr std::string_view prefix = "npm:";
  PackageNeed need{kind, alias, alias, spec};
  if (!spec.starts_with(prefix)) return need;
  const std::string other = spec.substr(prefix.size());
  const std::size_t at = other.find('@', 1);
  need.name = other.substr(0, at);
  need.range = at == std::string::npos ? "*" : other.substr(at + 1);
  return need;
}

void add_needs(const json& from, PackageNeed::Kind kind, std::vector<PackageNeed>& needs,
               const std::function<bool(const std::string&)>& is_left_out) {
  for (const auto& [alias, spec] : from.items()) {
    if (needs.size() == needs_max || !spec.is_string() || is_left_out(alias)) continue;
    PackageNeed need = need_of(kind, alias, spec.get_ref<const std::string&>());
    if (check_package_name(need.alias) && check_package_name(need.name)) {
      needs.push_back(std::move(need));
    }
  }
}

}  // namespace

Result<std::vector<PackageNeed>> read_package_needs(std::string_view package_json) {
  constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF";
  if (package_json.starts_with(byte_order_mark)) package_json.remove_prefix(byte_order_mark.size());
  const auto parsed = parse_bounded_json(package_json, package_json_bounds);
  if (!parsed) return parsed.error();
  const json& required = member_of(*parsed, "dependencies");
  const json& optional = member_of(*parsed, "optionalDependencies");
  const json& peers = member_of(*parsed, "peerDependencies");
  const json& peers_meta = member_of(*parsed, "peerDependenciesMeta");
  std::vector<PackageNeed> needs;
  add_needs(required, PackageNeed::Kind::required, needs,
            [&](const std::string& alias) { return optional.contains(alias); });
  add_needs(optional, PackageNeed::Kind::optional, needs, [](const std::string&) { return false; });
  const auto is_declared = [&](const std::string& alias) {
    return required.contains(alias) || optional.contains(alias);
  };
  for (const bool wants_optional : {false, true}) {
    add_needs(peers, wants_optional ? PackageNeed::Kind::optional_peer : PackageNeed::Kind::peer,
              needs, [&](const std::string& alias) {
                return is_declared(alias) || is_optional_peer(peers_meta, alias) != wants_optional;
              });
  }
  return needs;
}

}  // namespace satellite::agent
