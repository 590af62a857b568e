#include "sandbox/planning/account.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <set>

namespace satellite::sandbox {
namespace {

constexpr std::string_view shell_default = "/bin/sh";
constexpr std::string_view no_login = "/usr/sbin/nologin";

std::string_view next_part(std::string_view& text, char separator) {
  const auto part = text.substr(0, text.find(separator));
  text.remove_prefix(std::min(text.size(), part.size() + 1));
  return part;
}

std::string_view next_word(std::string_view& text) {
  const auto start = text.find_first_not_of(" \t\r");
  if (start == text.npos) return text = {}, std::string_view{};
  text.remove_prefix(start);
  const auto word = text.substr(0, text.find_first_of(" \t\r"));
  text.remove_prefix(word.size());
  return word;
}

char lower_letter(char letter) {
  return letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter - 'A' + 'a') : letter;
}

bool is_same_name(std::string_view one, std::string_view other) {
  return std::equal(one.begin(), one.end(), other.begin(), other.end(),
                    [](char a, char b) { return lower_letter(a) == lower_letter(b); });
}

bool can_be_in_hosts(std::string_view name) {
  constexpr std::string_view allowed =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_";
  return !name.empty() && name.find_first_not_of(allowed) == name.npos;
}

bool has_line_for(std::string_view hosts, std::string_view host_name) {
  while (!hosts.empty()) {
    auto line = next_part(hosts, '\n');
    line = line.substr(0, line.find('#'));
    next_word(line);  // the address
    for (auto name = next_word(line); !name.empty(); name = next_word(line)) {
      if (is_same_name(name, host_name)) return true;
    }
  }
  return false;
}

}  // namespace

Account made_account(std::uint32_t uid, const std::string& home) {
  if (uid == 0) return {"root", "/", std::string(no_login)};
  return {"script", home, std::string(shell_default)};
}

std::string passwd_text(const std::optional<Identity>& identity, const std::string& home) {
  std::string text = "root:x:0:0:root:/:" + std::string(no_login) + "\n";
  if (identity && identity->uid != 0) {
    const Account account = made_account(identity->uid, home);
    text += account.name + ":x:" + std::to_string(identity->uid) + ":" +
            std::to_string(identity->gid) + "::" + account.home + ":" + account.shell + "\n";
  }
  return text + "nobody:x:65534:65534:nobody:/nonexistent:" + std::string(no_login) + "\n";
}

std::string group_text(const std::optional<Identity>& identity) {
  std::string text = "root:x:0:\n";
  if (identity && identity->uid != 0 && identity->gid != 0) {
    text += "script:x:" + std::to_string(identity->gid) + ":\n";
  }
  return text + "nogroup:x:65534:\n";
}

std::string accounts_beside(std::string_view own, std::string_view hosts) {
  constexpr std::size_t size_max = 32U << 10U;
  const auto is_number = [](std::string_view text) {
    return !text.empty() && text.find_first_not_of("0123456789") == text.npos;
  };
  std::set<std::string_view> taken;
  while (!own.empty()) {
    auto line = next_part(own, '\n');
    taken.insert(next_part(line, ':'));
    next_part(line, ':');  // the password
    taken.insert(next_part(line, ':'));
  }
  std::string text;
  while (!hosts.empty()) {
    auto line = next_part(hosts, '\n');
    const bool is_of_passwd = std::count(line.begin(), line.end(), ':') == 6;
    const auto name = next_part(line, ':');
    next_part(line, ':');
    const auto number = next_part(line, ':'), group = next_part(line, ':');
    const bool is_printable =
        std::all_of(name.begin(), name.end(), [](char c) { return c > ' ' && c < 0x7f; });
    const bool is_plain =
        !name.empty() && is_printable && is_number(number) && (!is_of_passwd || is_number(group));
    if (!is_plain || taken.contains(name) || taken.contains(number)) continue;
    std::string entry = std::string(name) + ":x:" + std::string(number) + ":";
    if (is_of_passwd) entry += std::string(group) + "::/:" + std::string(no_login);
    if (text.size() + entry.size() >= size_max) break;
    text += entry + "\n";
  }
  return text;
}

std::optional<Account> find_account(std::string_view passwd, std::uint32_t uid) {
  while (!passwd.empty()) {
    auto line = next_part(passwd, '\n');
    std::array<std::string_view, 7> fields;  // name, password, uid, gid, comment, home, shell
    for (auto& field : fields) field = next_part(line, ':');
    std::uint32_t number = 0;
    const auto& digits = fields[2];
    const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), number);
    if (parsed.ec != std::errc{} || parsed.ptr != digits.data() + digits.size()) continue;
    if (number != uid || fields[0].empty()) continue;
    return Account{std::string(fields[0]), std::string(fields[5]), std::string(fields[6])};
  }
  return std::nullopt;
}

std::string usable_shell(const Account& account) {
  const std::string_view shell = account.shell;
  const bool refuses = shell.ends_with("/nologin") || shell.ends_with("/false");
  return refuses || !shell.starts_with('/') ? std::string(shell_default) : account.shell;
}

std::string hosts_addition(std::string_view hosts, std::string_view host_name) {
  if (!can_be_in_hosts(host_name) || has_line_for(hosts, host_name)) return {};
  const bool open_line = !hosts.empty() && hosts.back() != '\n';
  return (open_line ? "\n" : "") + std::string("127.0.1.1\t") + std::string(host_name) + "\n";
}

}  // namespace satellite::sandbox
