#include "tests/benchmarks/runc_bundle.hpp"

#include <unistd.h>
#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>

namespace satellite::benchmarks {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

json mount(const char* target, const char* type, const char* source, json options) {
  return {{"destination", target}, {"type", type}, {"source", source}, {"options", options}};
}

json configuration() {
  json mounts = json::array();
  mounts.push_back(mount("/proc", "proc", "proc", {"nosuid", "noexec", "nodev"}));
  mounts.push_back(mount("/dev", "tmpfs", "tmpfs", {"nosuid", "mode=755", "size=65536k"}));
  mounts.push_back(mount("/tmp", "tmpfs", "tmpfs", {"nosuid", "nodev", "mode=1777"}));
  for (const char* path : {"/usr", "/bin", "/lib", "/lib64", "/etc"}) {
    if (fs::exists(path)) mounts.push_back(mount(path, "none", path, {"rbind", "ro", "nosuid"}));
  }
  json namespaces = json::array();
  for (const char* kind : {"pid", "network", "ipc", "uts", "mount"}) {
    namespaces.push_back({{"type", kind}});
  }
  return {{"ociVersion", "1.0.2"},
          {"process",
           {{"terminal", false},
            {"user", {{"uid", 65532}, {"gid", 65532}}},
            {"args", {"sh", "-c", "echo hi"}},
            {"env", {"PATH=/usr/bin:/bin"}},
            {"cwd", "/tmp"},
            {"noNewPrivileges", true}}},
          {"root", {{"path", "root"}, {"readonly", true}}},
          {"mounts", mounts},
          {"linux", {{"namespaces", namespaces}}}};
}

}  // namespace

RuncBundle::RuncBundle() {
  directory_.write("config.json", configuration().dump());
  const fs::path root = directory_.path() / "root";
  for (const char* name : {"proc", "dev", "tmp", "usr", "bin", "lib", "lib64", "etc"}) {
    fs::create_directories(root / name);
  }
  if (::geteuid() != 0) return;
  const std::string trial = "runc run --bundle '" + directory_.path().string() + "' trial-" +
                            std::to_string(::getpid()) + " >/dev/null 2>&1 </dev/null";
  is_usable_ = std::system(trial.c_str()) == 0;
}

std::vector<std::string> RuncBundle::command() const {
  return {"runc", "run", "--bundle", directory_.path().string(), "{number}"};
}

}  // namespace satellite::benchmarks
