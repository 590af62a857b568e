#include "agent/commands/input.hpp"

#include "agent/commands/commands.hpp"
#include "agent/connection/proxy_choice.hpp"
#include "protocol/vocabulary/utf8.hpp"

#include <fstream>
#include <iostream>

namespace satellite::agent {

std::string name_of_input(const std::string& name) {
  return name == "-" ? "standard input" : name;
}

Result<std::string> read_input(const std::string& name, ByteCount size_max) {
  std::ifstream file;
  const std::string shown = name_of_input(name);
  if (name != "-") {
    file.open(name, std::ios::binary);
    if (!file) return Error{ErrorCode::not_found, name + " cannot be opened"};
  }
  std::istream& stream = name == "-" ? std::cin : file;
  std::string text(size_max.value + 1, '\0');
  stream.read(text.data(), std::ssize(text));
  text.resize(static_cast<std::size_t>(stream.gcount()));
  if (stream.bad()) return Error{ErrorCode::io_failed, shown + " cannot be read"};
  if (text.size() > size_max.value) {
    return Error{ErrorCode::limit_exceeded,
                 shown + " is larger than " + std::to_string(size_max.value) + " bytes"};
  }
  return text;
}

Result<std::string> read_json_input(const std::string& name, ByteCount size_max) {
  auto text = read_input(name, size_max);
  if (!text) return text;
  const bool is_blank = text->find_first_not_of(" \t\r\n") == std::string::npos;
  const bool is_utf16 = looks_like_utf16(*text);
  if (!is_blank && !is_utf16) return text;
  return Error{ErrorCode::invalid_input,
               name_of_input(name) + (is_utf16 ? " is UTF-16; save it as UTF-8" : " is empty")};
}

Result<Config> local_settings(const Invocation& invocation) {
  auto loaded = load_config(config_sources(invocation), SettingsUse::local);
  if (!loaded) return loaded.error();
  return std::move(loaded->config);
}

Result<CoreSettings> core_settings(const Invocation& invocation, SettingsUse use) {
  auto loaded = load_config(config_sources(invocation), use);
  if (!loaded) return loaded.error();
  auto cores = parse_core_urls(loaded->config.core_url);
  if (!cores) {
    // In the order of the table, the core comes first.
    return Error{cores.error().code,
                 "core (from " + loaded->settings.front().source + "): " + cores.error().message};
  }
  for (const CoreAddress& core : *cores) {
    const auto proxy = choose_proxy(loaded->config.proxy, core);
    if (!proxy) return proxy.error();
  }
  return CoreSettings{*std::move(loaded), *std::move(cores)};
}

}  // namespace satellite::agent
