#pragma once

#include <functional>
#include <string>
#include <vector>

namespace satellite::sandbox {

/// What there is to run on this host.
struct HostPrograms {
  std::function<bool(const std::string& path)> is_executable;
  std::string own_program;  ///< absolute path of this program; empty if it is unknown
};
HostPrograms this_host_programs();

/// What a trial runs: something that ends with 0 at once. A host need not have `true`: the shell
/// of scripts will do, busybox without its links, and at last this program itself, where runs see
/// it. Pure.
///
/// Shape:  program and arguments; `true` where nothing is there, so that the trial says so.
std::vector<std::string> trial_command(const HostPrograms& programs);

/// The shell of scripts as a run finds it, absolute; empty when there is none.
std::string find_shell(const HostPrograms& programs);

}  // namespace satellite::sandbox
