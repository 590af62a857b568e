#pragma once

#include <filesystem>

namespace satellite::tls {

/// What becomes of the system's certificate authorities once the operator names own ones.
enum class SystemStore {
  replaced,  ///< only the operator's authorities count: the usual meaning of an own CA
  added,     ///< both count: for a core that moves from a private to a public certificate
};

/// Whom we trust. Empty paths = only the system's store. There is no setting that trusts everybody.
///
/// Source: settings `tls.ca_file`, `tls.ca_directory`, `tls.system_store`.
struct Settings {
  std::filesystem::path ca_file;       ///< PEM, one or many certificates
  std::filesystem::path ca_directory;  ///< hashed as by `openssl rehash`
  SystemStore system_store = SystemStore::replaced;
};

}  // namespace satellite::tls
