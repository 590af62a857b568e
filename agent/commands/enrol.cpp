// Core, id and token in one step. Nothing is written before the way to the core was gone with them,
// so that a host that was enrolled once is not lost by a slip of the pen.
#include "agent/commands/commands.hpp"
#include "agent/commands/core_trial.hpp"
#include "agent/commands/input.hpp"
#include "agent/commands/service_unit.hpp"
#include "agent/commands/typed_token.hpp"
#include "agent/commands/written_file.hpp"
#include "agent/config/settings_text.hpp"
#include "agent/config/toml_file.hpp"
#include "protocol/vocabulary/limits.hpp"

#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <iostream>

namespace satellite::agent {
namespace {

constexpr mode_t settings_mode = 0644, token_mode = 0600;

struct Places {
  std::string settings, token;
};

/// The token's file is the one that is named, else stands beside the settings, where the unit takes
/// it from.
Places places_of(const Invocation& invocation, const Config& config, const std::string& settings) {
  Places places;
  places.settings = settings;
  const auto named = invocation.options.find("token_file");
  places.token = named != invocation.options.end()
                     ? named->second
                     : (std::filesystem::path(places.settings).parent_path() / "token").string();
  if (named == invocation.options.end() && !config.token_file.empty()) {
    places.token = config.token_file;
  }
  return places;
}

Result<void> make_directory_of(const std::string& path) {
  const auto directory = std::filesystem::path(path).parent_path();
  if (directory.empty() || ::mkdir(directory.c_str(), 0755) == 0 || errno == EEXIST) return {};
  return error_from_errno(directory.string(), errno);
}

Result<std::string> changed_settings(const Invocation& invocation, const std::string& path) {
  std::string text;
  if (::access(path.c_str(), F_OK) == 0) {
    auto read = read_input(path, limits::settings_file_size_max);
    if (!read) return read;
    text = *std::move(read);
  }
  auto changed = with_settings(text, invocation.options);
  const auto parsed = parse_toml_settings(changed, path);
  if (!parsed) return Error{parsed.error().code, parsed.error().message + "; correct it first"};
  return changed;
}

struct Enrolment {
  Config config;
  CoreAddress core;
  Places places;
};

/// What the settings will be: of the file as it is, and of the options that are to go into it.
Result<Enrolment> prepared(const Invocation& invocation) {
  ConfigSources sources = config_sources(invocation);
  const std::string settings = sources.file.value_or(default_config_file);
  // One that is to be made is no mistake.
  if (::access(settings.c_str(), F_OK) != 0 && errno == ENOENT) sources.file.reset();
  auto loaded = load_config(sources, SettingsUse::local);
  if (!loaded) return loaded.error();
  Config& config = loaded->config;
  for (const auto& [what, value] :
       {std::pair{"--core URL", &config.core_url}, {"--id ID", &config.client_id}}) {
    if (value->empty()) {
      return Error{ErrorCode::invalid_input, std::string("needs ") + what + ", from the core"};
    }
  }
  auto cores = parse_core_urls(config.core_url);
  if (!cores) return Error{cores.error().code, "core: " + cores.error().message};
  const auto proxy = choose_proxy(config.proxy, cores->front());
  if (!proxy) return proxy.error();
  Places places = places_of(invocation, config, settings);
  return Enrolment{std::move(config), cores->front(), std::move(places)};
}

/// False, with every step told, where the core is not reached or does not know us.
bool is_known_to_core(const Enrolment& enrolment, const Token& token) {
  const CoreTrial trial = try_core(enrolment.config, enrolment.core, token.value.reveal());
  print_trial(trial);
  std::cout << '\n' << std::flush;
  return leads_there(trial.steps);
}

Result<void> write_token(const Places& places, const Token& token) {
  if (const auto made = make_directory_of(places.token); !made) return made;
  return put_file(places.token, std::string(token.value.reveal()) + '\n', token_mode);
}

int wrong_enrolment(const Error& error) {
  print_error(error.message);
  return exit_wrong_usage;
}

int not_written(const Error& error) {
  print_error(error.message + "; run it as the user who owns the satellite's files, mostly root");
  return exit_failed;
}

}  // namespace

int enrol_command(const Invocation& invocation) {
  ::prctl(PR_SET_DUMPABLE, 0);
  const auto enrolment = prepared(invocation);
  if (!enrolment) return wrong_enrolment(enrolment.error());
  const Places& places = enrolment->places;
  const auto settings = changed_settings(invocation, places.settings);
  if (!settings) return wrong_enrolment(settings.error());
  const auto token = read_typed_token();
  if (!token) return wrong_enrolment(token.error());
  if (!invocation.skips_trial && !is_known_to_core(*enrolment, *token)) {
    print_error("nothing was written; --no-trial writes without trying");
    return exit_failed;
  }
  if (const auto made = make_directory_of(places.settings); !made) return not_written(made.error());
  if (const auto put = write_token(places, *token); !put) return not_written(put.error());
  if (const auto put = put_file(places.settings, *settings, settings_mode); !put) {
    return not_written(put.error());
  }
  std::cout << "wrote " << places.settings << " and " << places.token << '\n';
  if (invocation.skips_start) return exit_done;
  return tell_service(ServiceDeed::start, std::cout) ? exit_done : exit_failed;
}

int rotate_token_command(const Invocation& invocation) {
  ::prctl(PR_SET_DUMPABLE, 0);
  const auto enrolment = prepared(invocation);
  if (!enrolment) return wrong_enrolment(enrolment.error());
  const auto token = read_typed_token();
  if (!token) return wrong_enrolment(token.error());
  if (!invocation.skips_trial && !is_known_to_core(*enrolment, *token)) {
    print_error("the token was not changed; --no-trial changes it without trying");
    return exit_failed;
  }
  const auto put = write_token(enrolment->places, *token);
  if (!put) return not_written(put.error());
  std::cout << "wrote " << enrolment->places.token << '\n';
  if (invocation.skips_start) return exit_done;
  return tell_service(ServiceDeed::restart, std::cout) ? exit_done : exit_failed;
}

}  // namespace satellite::agent
