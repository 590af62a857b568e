#pragma once

#include "protocol/vocabulary/result.hpp"

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace satellite::tls {

/// One place where a distribution keeps the certificate authorities that the host trusts.
struct AuthorityPlace {
  enum class Kind {
    hashed_directory,  ///< as `openssl rehash` makes them; read on demand, a file per handshake
    bundle,            ///< one PEM file with all of them
  };
  Kind kind = Kind::bundle;
  std::filesystem::path path;

  bool operator==(const AuthorityPlace&) const = default;
};

/// What of the environment says where to look instead (SSL_CERT_FILE, SSL_CERT_DIR).
struct AuthorityVariables {
  std::optional<std::string> file, directories;
};

/// Where to look. With variables: there and nowhere else, and everything found counts. Without: the
/// places of all distributions, hashed directories first, and the first that holds something.
/// Pure.
struct AuthoritySearch {
  std::vector<AuthorityPlace> places;
  bool takes_all = false;  ///< else the first that holds something
};
AuthoritySearch search_for(const AuthorityVariables& variables);

// The public web's authorities are about 150; a place with more than this is no trust store.
constexpr std::size_t authorities_max = 10'000;

/// The store that is in force.
struct SystemAuthorities {
  std::vector<AuthorityPlace> places;  ///< at least one
  std::size_t count = 0;               ///< certificates in them; one may be there twice
};

/// `count_max`: where counting may stop in each place; 1 asks only whether it holds something.
///
/// Errors: not_found with every path that was searched and how to mend it.
Result<SystemAuthorities> find_authorities(const AuthoritySearch& search, std::size_t count_max);

/// The same for this process's environment.
Result<SystemAuthorities> find_system_authorities(std::size_t count_max);

/// `/etc/ssl/certs (hashed directory, 140 certificates)`.
std::string describe(const SystemAuthorities& authorities);

/// `ab12cd34.0`: how `openssl rehash` names the certificates of a directory.
bool is_hashed_directory(const std::filesystem::path& path);

}  // namespace satellite::tls
