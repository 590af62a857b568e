#include "tls/system_authorities.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <fstream>
#include <string_view>

namespace satellite::tls {
namespace {

namespace fs = std::filesystem;
using Kind = AuthorityPlace::Kind;

// Hashed directories before bundles: nothing of them is read before a handshake asks.
struct KnownPlace {
  Kind kind;
  const char* path;
};
constexpr std::array known_places{
    KnownPlace{Kind::hashed_directory, "/etc/ssl/certs"},  // Debian, Ubuntu, Arch, Alpine, SUSE
    KnownPlace{Kind::hashed_directory, "/var/lib/ca-certificates/openssl"},  // SUSE
    KnownPlace{Kind::hashed_directory, "/var/lib/ca-certificates/pem"},
    KnownPlace{Kind::hashed_directory,
               "/etc/pki/ca-trust/extracted/pem/directory-hash"},    // Fedora, newer
    KnownPlace{Kind::bundle, "/etc/ssl/certs/ca-certificates.crt"},  // Debian, Arch, Alpine
    KnownPlace{Kind::bundle, "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem"},  // RHEL, Fedora
    KnownPlace{Kind::bundle, "/etc/pki/tls/certs/ca-bundle.crt"},        // the same, older
    KnownPlace{Kind::bundle, "/var/lib/ca-certificates/ca-bundle.pem"},  // SUSE
    KnownPlace{Kind::bundle, "/etc/ssl/ca-bundle.pem"},
    KnownPlace{Kind::bundle, "/etc/ssl/cert.pem"},  // Alpine
    KnownPlace{Kind::bundle, "/etc/pki/tls/cacert.pem"},
    KnownPlace{Kind::bundle, "/usr/lib/ssl/cert.pem"},
};

bool is_hash_name(const std::string& name) {
  constexpr std::size_t hash_size = 8;
  return name.size() > hash_size + 1 && name[hash_size] == '.' &&
         name.find_first_not_of("0123456789abcdef") == hash_size &&
         name.find_first_not_of("0123456789", hash_size + 1) == std::string::npos;
}

std::size_t count_hash_names(const fs::path& path, std::size_t count_max) {
  std::size_t count = 0;
  std::error_code failure;
  for (fs::directory_iterator entry(path, failure), end;
       !failure && entry != end && count < count_max; entry.increment(failure)) {
    if (is_hash_name(entry->path().filename().string())) ++count;
  }
  return count;
}

std::size_t count_certificates(const fs::path& path, std::size_t count_max) {
  std::size_t count = 0;
  std::ifstream file(path, std::ios::binary);
  std::string line;
  while (count < count_max && std::getline(file, line)) {
    if (line.starts_with("-----BEGIN CERTIFICATE-----") ||
        line.starts_with("-----BEGIN TRUSTED CERTIFICATE-----")) {
      ++count;
    }
  }
  return count;
}

std::optional<std::string> environment_variable(const char* name) {
  const char* const value = std::getenv(name);
  if (value == nullptr || *value == '\0') return std::nullopt;
  return std::string(value);
}

Error nothing_found(const AuthoritySearch& search) {
  std::string paths;
  for (const AuthorityPlace& place : search.places) {
    paths += (paths.empty() ? "" : ", ") + place.path.string();
  }
  return {
      ErrorCode::not_found,
      "this host has no certificate authorities, so no core can be trusted; searched: " + paths +
          (search.takes_all
               ? " (of SSL_CERT_FILE and SSL_CERT_DIR; correct or unset them)"
               : "; install the package ca-certificates, or name an authority in tls.ca_file")};
}

}  // namespace

AuthoritySearch search_for(const AuthorityVariables& variables) {
  AuthoritySearch search;
  search.takes_all = variables.file || variables.directories;
  if (!search.takes_all) {
    for (const KnownPlace& place : known_places) search.places.push_back({place.kind, place.path});
    return search;
  }
  if (variables.file) search.places.push_back({Kind::bundle, *variables.file});
  std::string_view rest = variables.directories ? *variables.directories : std::string_view();
  while (!rest.empty()) {
    const std::string_view directory = rest.substr(0, rest.find(':'));
    rest.remove_prefix(std::min(rest.size(), directory.size() + 1));
    if (!directory.empty()) search.places.push_back({Kind::hashed_directory, directory});
  }
  return search;
}

Result<SystemAuthorities> find_authorities(const AuthoritySearch& search, std::size_t count_max) {
  SystemAuthorities found;
  for (const AuthorityPlace& place : search.places) {
    const std::size_t count = place.kind == Kind::bundle ? count_certificates(place.path, count_max)
                                                         : count_hash_names(place.path, count_max);
    if (count == 0) continue;
    found.places.push_back(place);
    found.count += count;
    if (!search.takes_all) break;
  }
  if (found.places.empty()) return nothing_found(search);
  return found;
}

Result<SystemAuthorities> find_system_authorities(std::size_t count_max) {
  return find_authorities(
      search_for({environment_variable("SSL_CERT_FILE"), environment_variable("SSL_CERT_DIR")}),
      count_max);
}

std::string describe(const SystemAuthorities& authorities) {
  std::string text;
  for (const AuthorityPlace& place : authorities.places) {
    text += (text.empty() ? "" : ", ") + place.path.string() +
            (place.kind == Kind::bundle ? " (bundle" : " (hashed directory");
    text += &place == &authorities.places.back()
                ? ", " + std::to_string(authorities.count) + " certificates)"
                : ")";
  }
  return text;
}

bool is_hashed_directory(const fs::path& path) {
  return count_hash_names(path, 1) != 0;
}

}  // namespace satellite::tls
