#include "tls/digest.hpp"

#include <openssl/evp.h>

#include <array>
#include <cstddef>
#include <stdexcept>

namespace satellite::tls {
namespace {

struct FreeDigest {
  void operator()(EVP_MD* digest) const { ::EVP_MD_free(digest); }
};
struct FreeDigestContext {
  void operator()(EVP_MD_CTX* context) const { ::EVP_MD_CTX_free(context); }
};

void must(bool done) {
  if (!done) throw std::runtime_error("OpenSSL has no SHA-256");
}

}  // namespace

// The algorithm is fetched once: a fetch for each of many small files costs more than their
// digests.
struct Sha256::State {
  std::unique_ptr<EVP_MD, FreeDigest> digest{::EVP_MD_fetch(nullptr, "SHA256", nullptr)};
  std::unique_ptr<EVP_MD_CTX, FreeDigestContext> context{::EVP_MD_CTX_new()};

  void begin() {
    must(digest && context && ::EVP_DigestInit_ex2(context.get(), digest.get(), nullptr) == 1);
  }
};

Sha256::Sha256() : state_(std::make_unique<State>()) {
  state_->begin();
}

Sha256::~Sha256() = default;

void Sha256::update(std::string_view bytes) {
  must(::EVP_DigestUpdate(state_->context.get(), bytes.data(), bytes.size()) == 1);
}

std::string Sha256::finish() {
  constexpr std::string_view digits = "0123456789abcdef";
  std::array<unsigned char, EVP_MAX_MD_SIZE> bytes{};
  unsigned size = 0;
  must(::EVP_DigestFinal_ex(state_->context.get(), bytes.data(), &size) == 1);
  state_->begin();
  std::string text;
  for (std::size_t i = 0; i < size; ++i) {
    text += digits[bytes.at(i) >> 4U];
    text += digits[bytes.at(i) & 15U];
  }
  return text;
}

std::string sha256_of(std::string_view bytes) {
  Sha256 digest;
  digest.update(bytes);
  return digest.finish();
}

std::string base64_sha256_of(std::string_view bytes) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  must(::EVP_Digest(bytes.data(), bytes.size(), digest.data(), &size, ::EVP_sha256(), nullptr) ==
       1);
  std::array<unsigned char, 2 * EVP_MAX_MD_SIZE> text{};
  const int length = ::EVP_EncodeBlock(text.data(), digest.data(), static_cast<int>(size));
  return {text.begin(), text.begin() + length};
}

}  // namespace satellite::tls
