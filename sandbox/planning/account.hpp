#pragma once

#include "sandbox/host/identity.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace satellite::sandbox {

/// The line of passwd(5) that a script finds under its user id.
struct Account {
  std::string name, home, shell;
};

/// The account that a confined run's own /etc/passwd has for its script.
Account made_account(std::uint32_t uid, const std::string& home);

/// The /etc/passwd and /etc/group of a confined run: root, the script's user, nobody. They hold no
/// account of the host, and nobody can log in with one of theirs.
std::string passwd_text(const std::optional<Identity>& identity, const std::string& home);
std::string group_text(const std::optional<Identity>& identity);

/// The lines of a passwd or group file whose names and numbers `own`, the run's, does not have: so
/// that programs can name the owners of processes. At most 32 KiB, whole lines; malformed ones are
/// left out, and so is everything but name, number and group.
std::string accounts_beside(std::string_view own, std::string_view hosts);

/// The first account with this user id in the text of a passwd file. Malformed lines
/// are skipped.
std::optional<Account> find_account(std::string_view passwd, std::uint32_t uid);

/// A shell that can run commands: the account's own, or /bin/sh where that is one that only
/// refuses to log in. Programs start what SHELL names (`ssh` for its ProxyCommand).
std::string usable_shell(const Account& account);

/// What has to be added to the text of a hosts file so that `host_name` resolves without a name
/// server; empty when a line names it already, or when such a line cannot hold it.
std::string hosts_addition(std::string_view hosts, std::string_view host_name);

}  // namespace satellite::sandbox
