#include "tls/library.hpp"

#include <openssl/crypto.h>

namespace satellite::tls {

bool start_library() {
  return OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, nullptr) == 1;
}

}  // namespace satellite::tls
