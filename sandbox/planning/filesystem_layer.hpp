#pragma once

#include "sandbox/host/engines.hpp"
#include "sandbox/planning/host_paths.hpp"
#include "sandbox/planning/shown_host.hpp"
#include "sandbox/planning/wrapper_request.hpp"
#include "sandbox/policy/policy.hpp"

#include <optional>
#include <string>
#include <vector>

namespace satellite::sandbox {

/// What a run brings along for its view of the file system.
struct FilesystemInputs {
  std::optional<std::string> scratch_directory;
  std::optional<std::string> package_directory;  ///< node_modules of the script packages
  std::optional<std::string> interpreter;        ///< program to show when it lies outside /usr
  std::optional<OwnFiles> own_files;
  std::optional<std::string> start_directory;  ///< inside the sandbox; absent = scratch
  std::optional<std::string> filter_file;      ///< for engines that load the packet filter
  std::optional<std::uint64_t> inner_uid, inner_gid;
  std::optional<Identity> script_identity;  ///< whom the native engine's accounts name
  bool identity_is_own = false;             ///< and no other run has it
  bool launcher_makes_network = false;      ///< see RunInputs
  bool has_loopback_ports = false;          ///< of the host, see RunInputs::host_view
  ShownHost shown;                          ///< what the operator grants of the host
  std::uint64_t state_bytes = 0;            ///< see NativeRequest
  /// The wrapper is to give the script the native engine's view; else the reference satellite's.
  bool wants_own_view = false;
  std::vector<Engine> engines = all_engines();  ///< see RunInputs
};

/// The one wrapper that carries both the file view and the network namespace of a run, so that the
/// two never fight over the namespaces.
///
/// Shape:  `off` = nothing asks for a wrapper; `degrade` = it is asked for and cannot be built.
/// Source: reference-satellite 6.
struct FilesystemLayer {
  enum class Kind { off, enforced, degrade };
  Kind kind = Kind::off;
  Engine engine = Engine::none;
  std::vector<std::string> wrapper;                        ///< without the closing `--`
  std::optional<NativePlan> native;                        ///< set exactly for Engine::native
  std::vector<std::string> wrapper_files, writable_paths;  ///< these five as in Plan
  std::vector<ReadablePath> readable_paths;
  std::vector<MemorySize> memory_sizes;
  bool has_own_view = false;
  std::string reason;
};

FilesystemLayer build_filesystem_layer(const FilesystemPolicy& policy, const HostFacts& facts,
                                       const FilesystemInputs& inputs,
                                       const NetworkDecision& network, const HostPaths& host);

}  // namespace satellite::sandbox
