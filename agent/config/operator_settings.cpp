#include "agent/config/operator_settings.hpp"

#include "protocol/vocabulary/limits.hpp"
#include "protocol/vocabulary/printable.hpp"
#include "protocol/vocabulary/unique_fd.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

namespace satellite::agent {
namespace {

using Values = std::map<std::string, EffectiveSetting>;

Error wrong(const EffectiveSetting& setting, ErrorCode code, const std::string& problem) {
  return Error{code, setting.key + " (from " + setting.source + "): " + problem};
}

/// The file, at most as long as a policy may be.
Result<std::string> read_ceiling(const EffectiveSetting& setting, std::uint32_t own_uid) {
  const std::string& path = setting.value;
  const auto failed = [&](const std::string& problem, ErrorCode code) {
    return wrong(setting, code, path + " " + problem);
  };
  // O_NONBLOCK: a named pipe must not keep the satellite from starting.
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat facts {};
  if (!file || ::fstat(file.get(), &facts) != 0) {
    return failed(error_from_errno("cannot be opened", errno).message, ErrorCode::not_found);
  }
  if (!S_ISREG(facts.st_mode)) return failed("is no regular file", ErrorCode::invalid_input);
  if (others_may_change(facts, own_uid)) {
    return failed(
        "can be changed by others, who could lift the ceiling; chown it to root and chmod "
        "644",
        ErrorCode::not_permitted);
  }
  std::string text(limits::policy_file_size_max.value + 1, '\0');
  std::size_t size = 0;
  while (size < text.size()) {
    const ssize_t count = ::read(file.get(), text.data() + size, text.size() - size);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return failed("cannot be read", ErrorCode::io_failed);
    if (count == 0) break;
    size += static_cast<std::size_t>(count);
  }
  if (size == text.size()) return failed("is too long for a policy", ErrorCode::limit_exceeded);
  text.resize(size);
  return text;
}

Result<void> take_ceiling(const EffectiveSetting& setting, std::uint32_t own_uid,
                          sandbox::OperatorsWord& word) {
  if (setting.value.empty()) return {};
  if (setting.value.front() != '/') {
    return wrong(setting, ErrorCode::invalid_input, "must be an absolute path");
  }
  const auto text = read_ceiling(setting, own_uid);
  if (!text) return text.error();
  auto ceiling = sandbox::parse_ceiling(*text);
  if (!ceiling) {
    return wrong(setting, ceiling.error().code,
                 printable(setting.value, 256) + ": " + ceiling.error().message);
  }
  word.ceiling = *std::move(ceiling);
  return {};
}

Result<void> take_unconfined(const EffectiveSetting& setting, sandbox::OperatorsWord& word) {
  if (setting.value == "auto") return {};
  if (setting.value != "true" && setting.value != "false") {
    return wrong(setting, ErrorCode::invalid_input,
                 "'" + printable(setting.value) + "' is not one of true, false, auto");
  }
  word.allow_unconfined = setting.value == "true";
  return {};
}

}  // namespace

bool others_may_change(const struct stat& facts, std::uint32_t own_uid) {
  const bool is_ours = facts.st_uid == 0 || facts.st_uid == own_uid;
  return !is_ours || (facts.st_mode & (S_IWGRP | S_IWOTH)) != 0;
}

Result<void> take_operators_word(const Values& values, std::uint32_t own_uid, Config& config) {
  sandbox::OperatorsWord& word = config.operators_word;
  word.supervisor_is_root = own_uid == 0;
  word.identity = {config.sandbox_uid, config.sandbox_gid};
  word.identity_range = config.sandbox_uid_range;
  const auto unconfined = take_unconfined(values.at("operator.allow_unconfined"), word);
  if (!unconfined) return unconfined.error();

  const EffectiveSetting& ids = values.at("operator.policy_ids");
  auto ranges = sandbox::parse_id_list(ids.value);
  if (!ranges) return wrong(ids, ranges.error().code, ranges.error().message);
  word.policy_ids = *std::move(ranges);

  const EffectiveSetting& blocked = values.at("operator.blocked_addresses");
  auto addresses = sandbox::parse_address_list(blocked.value);
  if (!addresses) return wrong(blocked, addresses.error().code, addresses.error().message);
  word.blocked_addresses = *std::move(addresses);
  word.blocked_by_choice = blocked.source != "default";

  return take_ceiling(values.at("operator.ceiling"), own_uid, word);
}

}  // namespace satellite::agent
