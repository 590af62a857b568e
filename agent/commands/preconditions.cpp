#include "agent/commands/preconditions.hpp"

#include "agent/config/client_identity.hpp"
#include "agent/connection/core_url.hpp"
#include "agent/connection/proxy_choice.hpp"
#include "agent/connection/proxy_credentials.hpp"
#include "tls/client_context.hpp"

#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace satellite::agent {

Result<void> check_scratch_directory(const Config& config) {
  const std::string& path = config.scratch_directory;
  const std::string name = "sandbox.scratch_directory: " + path;
  struct stat facts {};
  if (::stat(path.c_str(), &facts) != 0) {
    if (errno == ENOENT) {
      return Error{ErrorCode::not_found, name + " does not exist; create it, or name another"};
    }
    return error_from_errno(name, errno);
  }
  if (!S_ISDIR(facts.st_mode)) return Error{ErrorCode::invalid_input, name + " is no directory"};
  struct statvfs file_system {};
  if (::statvfs(path.c_str(), &file_system) == 0 && (file_system.f_flag & ST_RDONLY) != 0) {
    return Error{ErrorCode::not_permitted,
                 name + " lies on a read-only file system; name a directory that can be written"};
  }
  if (::access(path.c_str(), W_OK | X_OK) != 0) {
    return Error{ErrorCode::not_permitted,
                 name +
                     " cannot be written by this user; change its owner or mode, or name "
                     "another"};
  }
  return {};
}

Result<void> check_proxy(const Config& config) {
  const auto cores = parse_core_urls(config.core_url);
  if (!cores) return cores.error();
  for (const CoreAddress& core : *cores) {
    const auto choice = choose_proxy(config.proxy, core);
    if (!choice) return choice.error();
    if (!choice->proxy) continue;
    const auto credentials =
        read_proxy_credentials(config.proxy.credentials_file, config.proxy.credentials_source);
    if (!credentials) return credentials.error();
    if (choice->proxy->transport == Transport::plain || config.proxy.ca_file.empty()) continue;
    tls::Settings trust;
    trust.ca_file = config.proxy.ca_file;
    trust.ca_file_setting = "proxy.ca_file";
    const auto context = tls::make_client_context(trust);
    if (!context) return context.error();
  }
  return {};
}

Result<tls::Settings> trust_named_by(const Config& config) {
  tls::Settings trust;
  trust.ca_file = config.ca_file;
  trust.ca_directory = config.ca_directory;
  trust.system_store = config.system_store;
  trust.pins = config.pins;
  if (config.client_files.certificate.empty()) return trust;
  auto client = read_client_certificate(config.client_files);
  if (!client) return client.error();
  trust.client = std::make_shared<const tls::ClientCertificate>(*std::move(client));
  return trust;
}

Result<void> check_authorities(const Config& config) {
  // A core on this host without TLS needs nobody to vouch for it, and a host for it no store.
  const auto cores = parse_core_urls(config.core_url);
  const auto takes_tls = [](const CoreAddress& core) { return core.transport == Transport::tls; };
  const bool has_tls = !cores || std::any_of(cores->begin(), cores->end(), takes_tls);
  if (!has_tls && config.ca_file.empty() && config.ca_directory.empty()) return {};
  tls::Settings settings;
  settings.ca_file = config.ca_file;
  settings.ca_directory = config.ca_directory;
  settings.system_store = config.system_store;
  const auto context = tls::make_client_context(settings);
  if (!context) return context.error();
  return {};
}

}  // namespace satellite::agent
