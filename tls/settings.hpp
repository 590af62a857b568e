#pragma once

#include "tls/client_certificate.hpp"
#include "tls/pin.hpp"

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace satellite::tls {

/// What becomes of the system's certificate authorities once the operator names own ones.
enum class SystemStore {
  replaced,  ///< only the operator's authorities count: the usual meaning of an own CA
  added,     ///< both count: for a core that moves from a private to a public certificate
};

/// Whom we trust, and who we are. Empty paths = only the system's store. There is no setting that
/// trusts everybody.
///
/// Source: tls/README.md.
struct Settings {
  std::filesystem::path ca_file;                ///< PEM, one or many certificates
  std::string ca_file_setting = "tls.ca_file";  ///< what errors call it
  std::string ca_pem;                           ///< the text of that file, where it was read before
  std::filesystem::path ca_directory;           ///< hashed as by `openssl rehash`
  SystemStore system_store = SystemStore::replaced;
  /// If there are any, the peer's own key is one of them, beside all that is verified anyway.
  std::vector<Pin> pins;
  /// Null = nothing is shown to a peer that asks. Shared with connections that began before a
  /// reload put another one in its place.
  std::shared_ptr<const ClientCertificate> client;
};

}  // namespace satellite::tls
