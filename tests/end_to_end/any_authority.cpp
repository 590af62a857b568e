#include "tests/end_to_end/any_authority.hpp"

#include "tests/devcore/temporary_certificate.hpp"
#include "tests/support/temp_dir.hpp"

namespace satellite::tests {

const std::string& any_authority() {
  static const TempDir directory;
  static const std::string path =
      directory.write("ca.pem", tls::TemporaryAuthority::create()->certificate_pem());
  return path;
}

}  // namespace satellite::tests
