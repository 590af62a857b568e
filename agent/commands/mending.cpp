// The commands that an operator would type. They are chosen by the names of findings and by what
// the host shows of itself, never made from texts of errors; what no command does is left to words.
#include "agent/commands/mending.hpp"

#include "agent/commands/service_unit.hpp"
#include "sandbox/planning/shell_quote.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <sstream>
#include <string_view>

namespace satellite::agent {
namespace {

using Commands = std::vector<std::string>;

constexpr const char* own_sysctl_file = "/etc/sysctl.d/60-checkstack-satellite.conf";

struct PackageTool {
  std::string_view program, install;
};
// The first that is there counts: some hosts have several for the sake of others.
constexpr std::array package_tools{
    PackageTool{"apt-get", "apt-get install "}, PackageTool{"dnf", "dnf install "},
    PackageTool{"zypper", "zypper install "}, PackageTool{"apk", "apk add "},
    PackageTool{"pacman", "pacman -S "}};

Commands install(const MendingPlace& place, const std::string& package) {
  for (const PackageTool& tool : package_tools) {
    if (tool.program == place.package_tool) return {std::string(tool.install) + package};
  }
  return {};
}

void append(Commands& commands, Commands more) {
  for (std::string& command : more) {
    if (std::find(commands.begin(), commands.end(), command) == commands.end()) {
      commands.push_back(std::move(command));
    }
  }
}

/// Now, and after the next boot.
Commands set_kernel_value(const std::string& assignment) {
  return {"sysctl -w " + assignment, "echo " + assignment + " >>" + own_sysctl_file};
}

/// What keeps the satellite from making namespaces, where the host shows it.
Commands permit_namespaces(const MendingPlace& place) {
  const sandbox::HostSigns& signs = place.signs;
  // From within a container nothing of its host can be set.
  if (signs.container || signs.kubernetes) return {};
  Commands commands;
  if (signs.user_namespaces_forbidden) {
    append(commands, set_kernel_value("user.max_user_namespaces=15000"));
  }
  if (signs.clone_forbidden) {
    append(commands, set_kernel_value("kernel.unprivileged_userns_clone=1"));
  }
  if (signs.apparmor_restricts && !place.apparmor_profile.empty()) {
    append(commands,
           {"install -m 644 " + place.apparmor_profile + " /etc/apparmor.d/checkstack-satellite",
            "apparmor_parser -r /etc/apparmor.d/checkstack-satellite"});
  }
  return commands;
}

Commands delegate_control_groups(const MendingPlace& place) {
  const sandbox::HostSigns& signs = place.signs;
  if (signs.container || signs.kubernetes || !signs.systemd_runs || place.unit.empty()) return {};
  if (signs.cgroup_v1) {
    // How a boot loader is told differs from host to host; grubby(8) knows those of its own.
    const bool has_grubby = place.package_tool == "dnf";
    if (!has_grubby) return {};
    return {"grubby --update-kernel=ALL --args=systemd.unified_cgroup_hierarchy=1",
            "systemctl reboot"};
  }
  const std::string folder = "/etc/systemd/system/" + place.unit + ".d";
  return {"mkdir -p " + folder,
          "printf '[Service]\\nDelegate=memory pids cpu\\n' >" + folder + "/delegate.conf",
          "systemctl daemon-reload", "systemctl restart " + place.unit};
}

Commands commands_for_host(const std::string& finding, const MendingPlace& place) {
  if (finding == "user_namespaces" || finding == "native_engine") return permit_namespaces(place);
  if (finding == "wrapper") {
    Commands commands = permit_namespaces(place);
    append(commands, install(place, "bubblewrap"));
    return commands;
  }
  if (finding == "cgroup_v2") return delegate_control_groups(place);
  if (finding == "program_bwrap") return install(place, "bubblewrap");
  if (finding == "shell") return install(place, "dash");
  if (finding == "javascript_runtimes" || finding == "module_runtime") {
    return install(place, "nodejs");
  }
  if (finding == "egress_slirp4netns") {
    Commands commands = install(place, "slirp4netns");
    if (!place.signs.container && !place.signs.kubernetes) {
      append(commands, {"modprobe tun", "modprobe nf_tables"});
    }
    return commands;
  }
  return {};
}

/// The system's store, unless the settings name authorities of their own.
bool lacks_system_store(const sandbox::CapabilityFinding& finding) {
  return finding.name == "certificate_authorities" &&
         finding.remedy.find("ca-certificates") != std::string::npos;
}

Commands commands_for_step(const WayStep& step, const Examination& seen,
                           const MendingPlace& place) {
  const sandbox::HostSigns& signs = place.signs;
  if (step.name == "clock" && signs.systemd_runs && !signs.container) {
    return {"timedatectl set-ntp true"};
  }
  if (step.name != "token") return {};
  if (!seen.open_token_file.empty()) {
    return {"chmod 600 " + sandbox::shell_quote(seen.open_token_file)};
  }
  if (step.remedy != refused_token_remedy) return {};
  const std::string named =
      place.settings_file.empty() ? "" : " --config " + sandbox::shell_quote(place.settings_file);
  return {"checkstack-satellite rotate-token" + named};
}

/// What one command mends is proposed once, for the finding that needs it most.
std::vector<Mend> without_repetitions(std::vector<Mend> mends) {
  std::stable_partition(mends.begin(), mends.end(), [](const Mend& one) { return one.is_needed; });
  std::vector<Mend> kept;
  Commands proposed;
  for (Mend& mend : mends) {
    const auto is_proposed = [&proposed](const std::string& command) {
      return std::find(proposed.begin(), proposed.end(), command) != proposed.end();
    };
    const bool is_repetition = !mend.commands.empty() &&
                               std::all_of(mend.commands.begin(), mend.commands.end(), is_proposed);
    if (is_repetition) continue;
    append(proposed, mend.commands);
    kept.push_back(std::move(mend));
  }
  return kept;
}

/// The first program of these that PATH finds.
std::string first_on_path() {
  const char* const path = std::getenv("PATH");
  for (const PackageTool& tool : package_tools) {
    std::istringstream folders(path == nullptr ? "" : path);
    for (std::string folder; std::getline(folders, folder, ':');) {
      const std::string program = folder + '/' + std::string(tool.program);
      if (::access(program.c_str(), X_OK) == 0) return std::string(tool.program);
    }
  }
  return {};
}

}  // namespace

std::vector<Mend> mends_for(const Examination& seen, const MendingPlace& place) {
  std::vector<Mend> mends;
  for (const SeenCapability& one : seen.capabilities) {
    const sandbox::CapabilityFinding& finding = one.finding;
    if (finding.present || (finding.remedy.empty() && !one.is_needed)) continue;
    Commands commands = lacks_system_store(finding) ? install(place, "ca-certificates")
                                                    : commands_for_host(finding.name, place);
    mends.push_back({finding.name, one.is_needed, std::move(commands), finding.remedy});
  }
  for (const CoreTrial& way : seen.ways) {
    for (const WayStep& step : way.steps) {
      const bool is_known = std::any_of(mends.begin(), mends.end(), [&step](const Mend& mend) {
        return mend.finding == step.name && mend.remedy == step.remedy;
      });
      if (step.state != WayStep::State::failed || is_known) continue;
      mends.push_back({step.name, true, commands_for_step(step, seen, place), step.remedy});
    }
  }
  return without_repetitions(std::move(mends));
}

MendingPlace look_at_mending_place(const std::optional<std::string>& settings_file) {
  constexpr const char* packaged_profile = "/usr/share/checkstack-satellite/apparmor.profile";
  MendingPlace place;
  place.signs = sandbox::read_host_signs();
  place.package_tool = first_on_path();
  if (::access(packaged_profile, R_OK) == 0) place.apparmor_profile = packaged_profile;
  if (const auto unit = installed_unit()) place.unit = unit->name;
  if (settings_file && *settings_file != default_config_file) place.settings_file = *settings_file;
  return place;
}

}  // namespace satellite::agent
