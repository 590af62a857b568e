#include "tls/message_code.hpp"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/kdf.h>

#include <memory>
#include <stdexcept>

namespace satellite::tls {
namespace {

struct FreeKeyContext {
  void operator()(EVP_PKEY_CTX* context) const { ::EVP_PKEY_CTX_free(context); }
};

void need(bool done) {
  if (!done) throw std::runtime_error("OpenSSL has no HKDF or HMAC with SHA-256");
}

const unsigned char* bytes_of(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

int size_of(std::string_view text) {
  return static_cast<int>(text.size());
}

Secret derived_key(const Secret& secret, std::string_view salt, std::string_view purpose) {
  const std::unique_ptr<EVP_PKEY_CTX, FreeKeyContext> context(
      ::EVP_PKEY_CTX_new_id(EVP_PKEY_HKDF, nullptr));
  need(context != nullptr && ::EVP_PKEY_derive_init(context.get()) == 1 &&
       ::EVP_PKEY_CTX_set_hkdf_md(context.get(), ::EVP_sha256()) == 1 &&
       ::EVP_PKEY_CTX_set1_hkdf_salt(context.get(), bytes_of(salt), size_of(salt)) == 1 &&
       ::EVP_PKEY_CTX_set1_hkdf_key(context.get(), bytes_of(secret.reveal()),
                                    size_of(secret.reveal())) == 1 &&
       ::EVP_PKEY_CTX_add1_hkdf_info(context.get(), bytes_of(purpose), size_of(purpose)) == 1);
  std::string key(message_code_size, '\0');
  std::size_t size = key.size();
  need(::EVP_PKEY_derive(context.get(), reinterpret_cast<unsigned char*>(key.data()), &size) == 1);
  return Secret(std::move(key));
}

}  // namespace

MessageCode::MessageCode(const Secret& secret, std::string_view salt, std::string_view purpose)
    : key_(derived_key(secret, salt, purpose)) {}

std::string MessageCode::of(std::string_view message) const {
  std::string code(message_code_size, '\0');
  unsigned size = 0;
  need(::HMAC(::EVP_sha256(), key_.reveal().data(), size_of(key_.reveal()), bytes_of(message),
              message.size(), reinterpret_cast<unsigned char*>(code.data()), &size) != nullptr);
  return code;
}

bool MessageCode::is(std::string_view code, std::string_view message) const {
  if (code.size() != message_code_size) return false;
  return ::CRYPTO_memcmp(code.data(), of(message).data(), message_code_size) == 0;
}

}  // namespace satellite::tls
