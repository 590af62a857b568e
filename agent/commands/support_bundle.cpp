// Everything that somebody who helps would ask for, collected once. What cannot be had is said in
// the bundle itself, since that is an answer, too. All of it is redacted at one place, right before
// it becomes an archive.
#include "agent/commands/commands.hpp"
#include "agent/commands/doctor_answer.hpp"
#include "agent/commands/examination.hpp"
#include "agent/commands/input.hpp"
#include "agent/commands/preconditions.hpp"
#include "agent/commands/redaction.hpp"
#include "agent/commands/running_satellite.hpp"
#include "agent/commands/settings_answer.hpp"
#include "agent/commands/support_facts.hpp"
#include "agent/commands/tar_text.hpp"
#include "agent/commands/terminal.hpp"
#include "agent/config/sandbox_settings.hpp"
#include "agent/runtime/log_line.hpp"
#include "agent/runtime/private_memory.hpp"
#include "agent/runtime/version.hpp"
#include "protocol/timestamp.hpp"
#include "protocol/vocabulary/limits.hpp"
#include "protocol/vocabulary/unique_fd.hpp"
#include "sandbox/launcher/client/launcher_link.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <cerrno>
#include <filesystem>
#include <iostream>
#include <nlohmann/json.hpp>
#include <utility>

namespace satellite::agent {
namespace {

constexpr std::size_t bundle_entry_size_max = 2U << 20U;
constexpr const char* usual_state_directory = "/var/lib/checkstack-satellite";
constexpr const char* folder_in_bundle = "checkstack-satellite-support/";

class Bundle {
 public:
  void add(const std::string& name, std::string text) {
    if (text.size() > bundle_entry_size_max) {
      text.resize(bundle_entry_size_max);
      missing_.push_back(name + ": all but its first " + std::to_string(bundle_entry_size_max) +
                         " bytes");
    }
    entries_.push_back({folder_in_bundle + name, std::move(text)});
  }
  /// Or the reason why there is none.
  void add(const std::string& name, const Result<std::string>& text) {
    if (text) return add(name, *text);
    lack(name, text.error().message);
  }
  void lack(const std::string& name, const std::string& why) {
    missing_.push_back(name + ": " + why);
  }
  const std::vector<std::string>& missing() const { return missing_; }
  std::vector<TarEntry>& entries() { return entries_; }

 private:
  std::vector<TarEntry> entries_;
  std::vector<std::string> missing_;
};

/// The file as it is, whoever else may read it: what is to be hidden has to be known.
void take_secret_of(const std::string& file, std::vector<Secret>& secrets) {
  struct stat facts {};
  // What is no file is not waited for.
  if (::stat(file.c_str(), &facts) != 0 || !S_ISREG(facts.st_mode)) return;
  auto text = read_input(file, limits::secret_size_max);
  if (!text) return;
  while (text->ends_with('\n') || text->ends_with('\r') || text->ends_with(' ')) text->pop_back();
  const std::size_t colon = text->find(':');
  // Of USER:PASSWORD the second half alone, too.
  if (colon != std::string::npos && text->find('\n') == std::string::npos) {
    secrets.emplace_back(text->substr(colon + 1));
  }
  secrets.emplace_back(std::move(*text));
}

/// All that the satellite of these settings keeps from others.
std::vector<Secret> known_secrets(const ConfigSources& sources, const LoadedConfig& loaded) {
  std::vector<Secret> secrets;
  if (sources.token) secrets.emplace_back(std::string(sources.token->reveal()));
  const std::string settings = sources.file.value_or(default_config_file);
  take_secret_of((std::filesystem::path(settings).parent_path() / "token").string(), secrets);
  take_secret_of(loaded.token_source.file, secrets);
  take_secret_of(loaded.config.client_files.key, secrets);
  take_secret_of(loaded.config.proxy.credentials_file, secrets);
  return secrets;
}

std::vector<CoreAddress> cores_of(const Config& config) {
  auto cores = parse_core_urls(config.core_url);
  return cores ? *std::move(cores) : std::vector<CoreAddress>();
}

void add_doctor(const ConfigSources& sources, const Config& config, Bundle& bundle) {
  boost::asio::io_context context(1);
  auto launcher = sandbox::Launcher::start(launcher_settings(config));
  if (!launcher) {
    bundle.lack("doctor.json", "the launcher cannot be started: " + launcher.error().message);
    return;
  }
  (*launcher)->attach(context, [] {});
  const auto seen = examine(context, **launcher, sources, config);
  if (seen) bundle.add("doctor.json", examination_json(*seen, std::nullopt));
  if (!seen) bundle.lack("doctor.json", seen.error().message);
}

void add_settings(const CoreSettings& settings, Bundle& bundle) {
  const auto trust = trust_named_by(settings.loaded.config);
  if (!trust) bundle.lack("client certificate", trust.error().message);
  bundle.add("settings.json", settings_json(settings, trust ? *trust : tls::Settings()));
}

void add_what_runs(const Config& config, Bundle& bundle) {
  if (config.status_socket == "none") {
    bundle.lack("status.json", "status.socket is none: the satellite is told not to answer");
  } else {
    const auto status = ask_satellite(config, "/status.json");
    if (status) bundle.add("status.json", status->body);
    if (!status) bundle.lack("status.json", status.error().message);
  }
  bundle.add("units.txt", units_text());
  bundle.add("state-directory.txt", directory_text(config.state_directory));
  // That of the unit of root.
  const std::string of_root = std::string(usual_state_directory) + "-root";
  if (config.state_directory == usual_state_directory && ::access(of_root.c_str(), F_OK) == 0) {
    bundle.add("state-directory-root.txt", directory_text(of_root));
  }
}

/// Settings that cannot be read are no reason to have nothing.
std::vector<Secret> collect(const Invocation& invocation, Bundle& bundle) {
  const ConfigSources sources = config_sources(invocation);
  auto loaded = load_config(sources, SettingsUse::local);
  CoreSettings settings;
  settings.loaded.config.state_directory = usual_state_directory;
  if (loaded) {
    settings.cores = cores_of(loaded->config);
    settings.loaded = *std::move(loaded);
    add_doctor(sources, settings.loaded.config, bundle);
    add_settings(settings, bundle);
  } else {
    bundle.add("settings.json", wrong_settings_json(loaded.error()));
    bundle.lack("doctor.json", "the settings are wrong: " + loaded.error().message);
  }
  add_what_runs(settings.loaded.config, bundle);
  bundle.add("log.txt", log_text(invocation.log_file));
  bundle.add("host.txt", host_facts_text());
  keep_memory_private();
  return known_secrets(sources, settings.loaded);
}

std::string about_text(const Bundle& bundle) {
  std::string text = std::string("checkstack-satellite ") + program_version + "\nmade at " +
                     protocol::format_timestamp(std::chrono::system_clock::now()) + "\nby uid " +
                     std::to_string(::geteuid()) +
                     "\nsecrets, and what looks like one, are replaced by " +
                     std::string(sandbox::mask_text) + "\n";
  if (!bundle.missing().empty()) text += "\ncould not be had:\n";
  for (const std::string& one : bundle.missing()) text += "  " + escaped_for_terminal(one) + '\n';
  return text;
}

void list_json(std::ostream& out, const std::vector<TarEntry>& entries, const std::string& file) {
  nlohmann::ordered_json answer{{"file", file}, {"entries", nlohmann::json::array()}};
  for (const TarEntry& entry : entries) {
    answer["entries"].push_back({{"name", entry.name}, {"bytes", entry.text.size()}});
  }
  out << answer.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) << '\n';
}

void list(std::ostream& out, const std::vector<TarEntry>& entries) {
  out << "What is in it, without secrets:\n";
  for (const TarEntry& entry : entries) {
    const std::string size = std::to_string(entry.text.size());
    out << std::string(size.size() < 9 ? 9 - size.size() : 0, ' ') << size << " bytes  "
        << entry.name << '\n';
  }
  out << entries.front().text << std::flush;
}

/// A new file, whole or not at all.
Result<void> write_new_file(const std::string& path, std::string_view bytes) {
  const UniqueFd file(
      ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!file) return error_from_errno(path, errno);
  int problem = 0;
  while (problem == 0 && !bytes.empty()) {
    const ssize_t written = ::write(file.get(), bytes.data(), bytes.size());
    if (written < 0 && errno != EINTR) problem = errno;
    if (written > 0) bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  if (problem == 0 && ::fsync(file.get()) != 0) problem = errno;
  if (problem == 0) return {};
  ::unlink(path.c_str());
  return error_from_errno(path, problem);
}

/// Told before the work, which takes some seconds.
Result<void> check_place(const std::string& path) {
  if (path == "-") {
    if (::isatty(STDOUT_FILENO) != 1) return {};
    return Error{ErrorCode::invalid_input,
                 "--output - writes an archive, and standard output is a terminal; name a file, or "
                 "lead it into one"};
  }
  struct stat facts {};
  if (::lstat(path.c_str(), &facts) != 0) return {};
  return Error{ErrorCode::invalid_input,
               path + " is there already; remove it, or name another file with --output"};
}

}  // namespace

int support_bundle_command(const Invocation& invocation) {
  const std::string path =
      invocation.bundle_file.empty() ? default_bundle_file : invocation.bundle_file;
  if (const auto checked = check_place(path); !checked) {
    print_error(checked.error().message);
    return exit_wrong_usage;
  }
  Bundle bundle;
  const Redaction redaction(collect(invocation, bundle));
  auto& entries = bundle.entries();
  entries.insert(entries.begin(),
                 {std::string(folder_in_bundle) + "about.txt", about_text(bundle)});
  for (TarEntry& entry : entries) entry.text = redaction.applied_to(entry.text);
  std::ostream& listing = path == "-" ? std::cerr : std::cout;
  if (invocation.json) {
    list_json(listing, entries, path);
  } else {
    list(listing, entries);
  }
  if (!flush_standard_output()) return exit_failed;
  const std::string archive = tar_text(entries, std::chrono::system_clock::now());
  if (path == "-") {
    std::cout << archive;
    return exit_done;
  }
  if (const auto written = write_new_file(path, archive); !written) {
    print_error(written.error().message);
    return exit_failed;
  }
  if (!invocation.json) {
    std::cout << "wrote " << path << ", " << archive.size()
              << " bytes; look at it before you hand it on\n";
  }
  return exit_done;
}

}  // namespace satellite::agent
