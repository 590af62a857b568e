#include "agent/connection/name_services.hpp"

#include <algorithm>

namespace satellite::agent {
namespace {

constexpr std::string_view blanks = " \t\r\f\v";
constexpr std::size_t services_max = 16;
constexpr std::size_t service_size_max = 32;

/// Takes the first line of `text` off it.
std::string_view next_line(std::string_view& text) {
  const std::string_view line = text.substr(0, text.find('\n'));
  text.remove_prefix(std::min(text.size(), line.size() + 1));
  return line;
}

/// Takes the first word of `line` off it; empty at its end.
std::string_view next_word(std::string_view& line) {
  line.remove_prefix(std::min(line.size(), line.find_first_not_of(blanks)));
  const std::string_view word = line.substr(0, line.find_first_of(blanks));
  line.remove_prefix(word.size());
  return word;
}

bool is_service_name(std::string_view word) {
  return !word.empty() && word.size() <= service_size_max &&
         std::all_of(word.begin(), word.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '_' || c == '-';
         });
}

/// `[NOTFOUND=return]` says what follows from an answer and names no service. It may have blanks
/// and stand right behind a name.
std::string without_actions(std::string_view line) {
  std::string text;
  bool is_action = false;
  for (const char c : line) {
    if (c == '[') is_action = true;
    text += is_action ? ' ' : c;
    if (c == ']') is_action = false;
  }
  return text;
}

}  // namespace

std::vector<std::string> services_not_asked(std::string_view nsswitch) {
  constexpr std::string_view database = "hosts:";
  std::vector<std::string> services;
  while (!nsswitch.empty()) {
    std::string_view line = next_line(nsswitch);
    line = line.substr(0, line.find('#'));
    line.remove_prefix(std::min(line.size(), line.find_first_not_of(blanks)));
    if (!line.starts_with(database)) continue;
    const std::string text = without_actions(line.substr(database.size()));
    std::string_view rest = text;
    for (auto word = next_word(rest); !word.empty(); word = next_word(rest)) {
      if (word == "files" || word == "dns" || !is_service_name(word)) continue;
      if (std::find(services.begin(), services.end(), word) != services.end()) continue;
      services.emplace_back(word);
      if (services.size() == services_max) return services;
    }
  }
  return services;
}

std::vector<boost::asio::ip::address> addresses_of_getent(std::string_view output,
                                                          std::size_t count_max) {
  std::vector<boost::asio::ip::address> addresses;
  while (!output.empty() && addresses.size() < count_max) {
    std::string_view line = next_line(output);
    boost::system::error_code is_none;
    // Each address comes once for each kind of socket.
    const auto address =
        boost::asio::ip::make_address(std::string(next_word(line)).c_str(), is_none);
    if (is_none) continue;
    if (std::find(addresses.begin(), addresses.end(), address) != addresses.end()) continue;
    addresses.push_back(address);
  }
  return addresses;
}

}  // namespace satellite::agent
