#include "agent/commands/commands.hpp"
#include "agent/commands/input.hpp"
#include "agent/commands/packages_sync.hpp"
#include "agent/packages/package_disk.hpp"
#include "agent/runtime/log_line.hpp"

#include <algorithm>
#include <iostream>
#include <nlohmann/json.hpp>
#include <optional>

namespace satellite::agent {
namespace {

using nlohmann::json;

/// The directory as it is: open for writing where no satellite has it, else to look only.
struct PackagesView {
  PackagesView(StoreDirectory directory_, bool is_ours_)
      : directory(std::move(directory_)),
        is_ours(is_ours_),
        store(directory, PackagesPlace{}.unpack_program, {}),
        trees(directory, store, {}) {}
  StoreDirectory directory;
  bool is_ours;
  PackageStore store;
  PackageTrees trees;
};

Result<std::string> configured_directory(const Config& config) {
  if (!config.ephemeral) return packages_directory_in(config.state_directory);
  return Error{ErrorCode::not_found,
               "state.ephemeral is set, so script packages are kept for the life of a running "
               "satellite only"};
}

json tree_json(const PackagesView& view, const std::string& hash) {
  const auto size = view.trees.completed_size(hash).value_or(TreeSize{});
  json tree{{"lockfileHash", hash},
            {"inUse", view.trees.current() == hash},
            {"files", size.files},
            {"bytes", size.bytes.value},
            {"packages", json::array()}};
  const auto manifest = view.trees.manifest_of(hash);
  if (!manifest) return tree;
  for (const auto& package : manifest->entries) tree["packages"].push_back(label_of(package));
  return tree;
}

int list_packages(const Invocation& invocation, const PackagesView& view) {
  json trees = json::array();
  for (const std::string& hash : view.trees.all()) trees.push_back(tree_json(view, hash));
  if (invocation.json) {
    std::cout << json{{"directory", view.directory.path()}, {"trees", trees}}.dump(2) << '\n';
    return exit_done;
  }
  std::cout << view.directory.path() << ": " << trees.size() << " trees, "
            << view.directory.names_in("store").size() << " packages in the store\n";
  for (const json& tree : trees) {
    std::cout << tree["lockfileHash"].get<std::string>()
              << (tree["inUse"] == true ? "  in use  " : "  retired  ") << tree["packages"].size()
              << " packages, " << tree["files"] << " files, " << tree["bytes"] << " bytes\n";
    if (tree["inUse"] != true) continue;
    for (const json& package : tree["packages"]) {
      std::cout << "  " << package.get<std::string>() << '\n';
    }
  }
  return exit_done;
}

int verify_packages(const Invocation& invocation, PackagesView& view) {
  json damaged = json::array();
  const auto entries = view.directory.names_in("store");
  for (const std::string& name : entries) {
    if (view.store.is_whole(view.directory.entry(name), PackageStore::Depth::digests)) continue;
    damaged.push_back("store/" + name);
    if (!view.is_ours) continue;
    view.directory.remove(view.directory.entry(name));
    view.trees.remove_with(name);
  }
  const auto trees = view.trees.all();
  for (const std::string& hash : trees) {
    if (view.trees.is_of_store(hash)) continue;
    damaged.push_back("trees/" + hash);
    if (view.is_ours) view.directory.remove(view.directory.tree(hash));
  }
  const std::string remedy =
      damaged.empty() ? ""
      : view.is_ours  ? "what is damaged was removed; it is fetched again at the next start"
                      : "a running satellite has the directory: stop it, verify again to remove "
                        "what is damaged, and start it";
  if (invocation.json) {
    std::cout << json{{"directory", view.directory.path()},
                      {"packages", entries.size()},
                      {"trees", trees.size()},
                      {"damaged", damaged},
                      {"remedy", remedy}}
                     .dump(2)
              << '\n';
  } else {
    for (const json& one : damaged) std::cout << "damaged  " << one.get<std::string>() << '\n';
    std::cout << entries.size() << " packages and " << trees.size() << " trees read, "
              << damaged.size() << " damaged" << (remedy.empty() ? "" : "; " + remedy) << '\n';
  }
  return damaged.empty() ? exit_done : exit_failed;
}

int fail(const Error& error, int code) {
  print_error(error.message);
  return code;
}

}  // namespace

int packages_command(const Invocation& invocation) {
  if (invocation.packages_verb == "sync") return sync_packages(invocation);
  const auto config = local_settings(invocation);
  if (!config) return fail(config.error(), exit_wrong_usage);
  const auto path = configured_directory(*config);
  if (!path) return fail(path.error(), exit_wrong_usage);
  // Looked at first: a directory that is not there is not made by a question.
  auto directory = StoreDirectory::look_at(*path);
  if (!directory) return fail(directory.error(), exit_failed);
  const bool verifies = invocation.packages_verb == "verify";
  bool is_ours = false;
  if (verifies) {
    if (auto opened = StoreDirectory::open(*path)) {
      directory = std::move(opened);
      is_ours = true;
    }
  }
  PackagesView view(*std::move(directory), is_ours);
  const int code = verifies ? verify_packages(invocation, view) : list_packages(invocation, view);
  if (is_ours) view.directory.close();
  return code;
}

}  // namespace satellite::agent
