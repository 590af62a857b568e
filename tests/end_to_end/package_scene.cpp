#include "tests/end_to_end/package_scene.hpp"

#include <nlohmann/json.hpp>

namespace satellite::tests {

using nlohmann::json;

void PackageScene::start(devcore::PackageShelf shelf) {
  scene_.reset();
  Scene::Options options = Scene::with_policy(default_policy);
  options.core.packages = std::move(shelf);
  options.state_directory = state();
  scene_ = std::make_unique<Scene>(std::move(options));
}

std::vector<std::string> PackageScene::said() {
  std::vector<std::string> all;
  for (const std::string& text : scene_->core().ledger().frames("script_package_sync_state")) {
    const json frame = json::parse(text);
    const json& hash = frame.at("lockfileHash");
    std::string words = frame.at("status").get<std::string>() + " " +
                        (hash.is_null() ? "none" : hash.get<std::string>().substr(0, 12));
    if (frame.contains("errorMessage")) words += " " + frame.at("errorMessage").get<std::string>();
    all.push_back(std::move(words));
  }
  return all;
}

std::string PackageScene::wait_said(const std::string& words) {
  std::string found;
  eventually("a state that says " + words, [&] {
    for (const std::string& state : said()) {
      if (state.find(words) == std::string::npos) continue;
      found = state;
      return true;
    }
    return false;
  });
  return found;
}

}  // namespace satellite::tests
