#pragma once

#include "protocol/vocabulary/byte_count.hpp"
#include "protocol/vocabulary/result.hpp"
#include "sandbox/report/run_request.hpp"

#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace satellite::sandbox {

/// A module of the SDK that scripts import: it exports one function, which returns what it is given
/// and exists for editors.
struct SdkModule {
  std::string_view import_name;    ///< `@checkstack/sdk/healthcheck`
  std::string_view function_name;  ///< `defineHealthCheck`, a global, too
  std::string_view file_name;      ///< below module_directory
};
const SdkModule& sdk_module_of(ModulePurpose purpose);
/// The text of the module, and as a URL where there is no root of the run's own to put it.
std::string sdk_module_text(const SdkModule& module);
std::string sdk_module_url(const SdkModule& module);

/// What the bootstrap reads from descriptor 3.
///
/// Shape:  everything of the run that is not the same for all runs of its sandbox; secrets are in
///         `environment`, so the text is wiped by its owner.
struct ModuleTask {
  std::string script;        ///< as a module, its imports of the SDK directed to ours
  std::string_view context_json;  ///< one JSON value; empty = null
  std::map<std::string, std::string> environment;  ///< set before the script, not at the start
  std::string_view global_function;
  std::string folder;                   ///< of the script's file: the scratch directory
  std::optional<std::string> packages;  ///< linked into the folder, where no root shows them
};

/// A script and a context of 1 MiB each and all the environment, each byte an escape of six.
inline constexpr ByteCount module_task_size_max{20U << 20U};

/// Errors: limit_exceeded. Bytes that are no UTF-8 become U+FFFD.
Result<std::string> module_task_text(const ModuleTask& task);

}  // namespace satellite::sandbox
