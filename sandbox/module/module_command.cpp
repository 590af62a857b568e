#include "sandbox/module/module_command.hpp"

#include "sandbox/module/bootstrap.hpp"
#include "sandbox/module/user_script.hpp"

namespace satellite::sandbox {
namespace {

std::string path_of(const SdkModule& module) {
  return std::string(module_directory) + "/" + std::string(module.file_name);
}

}  // namespace

std::vector<std::string> module_command(const ModuleRuntime& runtime, BootstrapPlace place) {
  const bool is_bun = runtime.kind == RuntimeKind::bun;
  std::vector<std::string> command{runtime.path};
  // A package that is not there is an error, and is not fetched.
  if (is_bun) command.emplace_back("--no-install");
  if (place == BootstrapPlace::own_root) {
    command.emplace_back(is_bun ? bun_bootstrap_path : node_bootstrap_path);
    return command;
  }
  command.emplace_back("-e");
  command.emplace_back(module_bootstrap());
  return command;
}

OwnFiles module_files(const ModuleInput& module) {
  OwnFiles files;
  for (const auto path : {bun_bootstrap_path, node_bootstrap_path}) {
    files.texts.push_back({std::string(path), std::string(module_bootstrap())});
  }
  for (const auto purpose : {ModulePurpose::health_check, ModulePurpose::automation}) {
    const SdkModule& sdk = sdk_module_of(purpose);
    files.texts.push_back({path_of(sdk), sdk_module_text(sdk)});
  }
  if (module.packages) files.node_modules = module.packages->node_modules;
  return files;
}

std::string script_to_run(std::string_view script, ModulePurpose purpose, BootstrapPlace place) {
  const SdkModule& sdk = sdk_module_of(purpose);
  const std::string url =
      place == BootstrapPlace::own_root ? "file://" + path_of(sdk) : sdk_module_url(sdk);
  return with_import_from(module_from(script), sdk.import_name, url);
}

}  // namespace satellite::sandbox
