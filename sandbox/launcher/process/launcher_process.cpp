#include "sandbox/launcher/process/launcher_process.hpp"

#include "sandbox/kernel/memory_file.hpp"
#include "sandbox/launcher/process/detach_from_agent.hpp"
#include "sandbox/launcher/process/launcher_loop.hpp"
#include "sandbox/launcher/process/program_images.hpp"
#include "sandbox/planning/seccomp_filter.hpp"

#include <fcntl.h>
#include <unistd.h>
#include <algorithm>
#include <utility>

namespace satellite::sandbox {

int run_launcher(UniqueFd agent, kernel::ScratchArea& scratch, pid_t agent_pid,
                 LauncherSettings settings, std::uint64_t script_open_files) {
  UniqueFd signals = take_signals();
  separate_from_agent(agent_pid);
  separate_mounts();
  std::vector<int> kept{agent.get(), signals.get()};
  for (const int fd : scratch.descriptors()) kept.push_back(fd);
  keep_descriptors(std::move(kept));
  auto surroundings = read_own_surroundings();
  auto program = kernel::make_memory_file("csat-init", init_image(), kernel::Executable::yes);
  UniqueFd null_device(::open("/dev/null", O_RDWR | O_CLOEXEC));
  if (!signals || !surroundings || !null_device) return 1;
  LauncherState state{scratch,
                      *surroundings,
                      std::move(program),
                      std::move(null_device),
                      ::geteuid() == 0,
                      cannot_debug_dropped_processes(),
                      std::min(landlock_abi(), settings.landlock_abi_max),
                      script_seccomp_filter(OtherProcesses::unseen),
                      script_seccomp_filter(OtherProcesses::seen),
                      init_seccomp_filter(KillsBy::one_call),
                      init_seccomp_filter(KillsBy::looking),
                      script_open_files,
                      ::geteuid() == 0 && settings.root_scripts == RootScripts::refused,
                      settings.made_ahead};
  const auto forwarder =
      kernel::make_memory_file("csat-forwarder", forwarder_image(), kernel::Executable::yes);
  NetworkMeans means{state.is_root, std::move(settings.macvlan)};
  if (forwarder) means.forwarder_program = forwarder->get();
  LauncherLoop loop(std::move(agent), std::move(signals), std::move(state), std::move(means));
  loop.serve();
  loop.end_all_runs();
  scratch.remove();
  return 0;
}

}  // namespace satellite::sandbox
