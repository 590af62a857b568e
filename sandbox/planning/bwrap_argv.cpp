#include "sandbox/planning/wrapper_request.hpp"

namespace satellite::sandbox {

std::vector<std::string> bwrap_argv(const WrapperRequest& request) {
  const bool namespaced =
      request.network.kind == NetworkDecision::Kind::namespaced && !request.enters_network;
  std::vector<std::string> argv{request.program, "--unshare-all",
                                namespaced ? "--unshare-net" : "--share-net", "--die-with-parent"};
  const auto add = [&argv](std::initializer_list<std::string> words) {
    argv.insert(argv.end(), words);
  };
  if (request.inner_uid) {
    if (request.inner_gid) add({"--gid", std::to_string(*request.inner_gid)});
    add({"--uid", std::to_string(*request.inner_uid)});
  }
  if (!request.confined) {
    add({"--bind", "/", "/", "--proc", "/proc", "--dev", "/dev"});
    return argv;
  }
  for (const auto& path : request.read_only_before_scratch) add({"--ro-bind", path, path});
  // The scratch directory often lies below /tmp, so the fresh /tmp has to come before it.
  add({"--tmpfs", "/tmp", "--bind", request.scratch_directory, request.scratch_directory});
  if (request.read_only_after_scratch) {
    add({"--ro-bind", *request.read_only_after_scratch, *request.read_only_after_scratch});
  }
  add({"--proc", "/proc", "--dev", "/dev", "--chdir", request.start_directory});
  return argv;
}

}  // namespace satellite::sandbox
