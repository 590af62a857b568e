#include "tls/openssl/errors.hpp"

#include <openssl/err.h>

namespace satellite::tls {

std::string take_openssl_reasons() {
  constexpr int reasons_max = 4;
  std::string reasons;
  int count = 0;
  for (unsigned long code = ERR_get_error(); code != 0; code = ERR_get_error()) {
    if (++count > reasons_max) continue;
    const char* reason = ERR_reason_error_string(code);
    if (!reasons.empty()) reasons += "; ";
    reasons += reason != nullptr ? reason : "error " + std::to_string(code);
  }
  return reasons.empty() ? "no reason given" : reasons;
}

Error error_from_openssl(ErrorCode code, std::string_view what) {
  return Error{code, std::string(what) + ": " + take_openssl_reasons()};
}

}  // namespace satellite::tls
