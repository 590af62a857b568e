#pragma once

#include <filesystem>
#include <string>

namespace satellite::tls {

/// What becomes of the system's certificate authorities once the operator names own ones.
enum class SystemStore {
  replaced,  ///< only the operator's authorities count: the usual meaning of an own CA
  added,     ///< both count: for a core that moves from a private to a public certificate
};

/// Whom we trust. Empty paths = only the system's store. There is no setting that trusts everybody.
///
/// Shape:  an operator sets `ca_file` (setting `tls.ca_file`); no setting leads to the others,
///         which are for callers in code.
struct Settings {
  std::filesystem::path ca_file;       ///< PEM, one or many certificates
  std::string ca_file_setting = "tls.ca_file";  ///< what errors call it
  std::string ca_pem;                  ///< the text of that file, where it was read before
  std::filesystem::path ca_directory;  ///< hashed as by `openssl rehash`
  SystemStore system_store = SystemStore::replaced;
};

}  // namespace satellite::tls
