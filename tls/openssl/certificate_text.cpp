#include "tls/openssl/certificate_text.hpp"

#include "tls/openssl/handles.hpp"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <algorithm>
#include <array>

namespace satellite::tls {
namespace {

constexpr int names_max = 32;
constexpr std::size_t name_size_max = 256;  // the peer chooses these texts

std::string text_in(BIO* memory) {
  char* bytes = nullptr;
  const long size = BIO_get_mem_data(memory, &bytes);
  const std::size_t used = size > 0 ? static_cast<std::size_t>(size) : 0;
  return std::string(bytes, std::min(used, name_size_max));
}

std::string text_of(const X509_NAME* name) {
  const BioPtr memory(BIO_new(BIO_s_mem()));
  if (!memory || name == nullptr) return {};
  X509_NAME_print_ex(memory.get(), name, 0, XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB);
  return text_in(memory.get());
}

std::string text_of(const ASN1_TIME* time) {
  const BioPtr memory(BIO_new(BIO_s_mem()));
  if (!memory || time == nullptr) return {};
  ASN1_TIME_print_ex(memory.get(), time, ASN1_DTFLGS_ISO8601);
  return text_in(memory.get());
}

std::string text_of(const GENERAL_NAME& name) {
  int type = 0;
  const auto* value = static_cast<const ASN1_STRING*>(GENERAL_NAME_get0_value(&name, &type));
  if (value == nullptr || (type != GEN_DNS && type != GEN_IPADD)) return {};
  const unsigned char* bytes = ASN1_STRING_get0_data(value);
  const auto size = static_cast<std::size_t>(std::max(ASN1_STRING_length(value), 0));
  if (type == GEN_DNS) {
    return std::string(bytes, bytes + std::min(size, name_size_max));
  }
  std::array<char, INET6_ADDRSTRLEN> text{};
  const int family = size == sizeof(in_addr) ? AF_INET : AF_INET6;
  if (size != sizeof(in_addr) && size != sizeof(in6_addr)) return {};
  if (::inet_ntop(family, bytes, text.data(), text.size()) == nullptr) return {};
  return text.data();
}

}  // namespace

std::vector<std::string> names_of(const X509* certificate) {
  std::vector<std::string> names;
  const GeneralNamesPtr all(static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
  if (!all) return names;
  const int count = std::min(sk_GENERAL_NAME_num(all.get()), names_max);
  for (int i = 0; i < count; ++i) {
    std::string text = text_of(*sk_GENERAL_NAME_value(all.get(), i));
    if (!text.empty()) names.push_back(std::move(text));
  }
  return names;
}

std::string fingerprint_of(const X509* certificate) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int size = 0;
  if (X509_digest(certificate, EVP_sha256(), digest.data(), &size) != 1) return "unknown";
  constexpr std::string_view digits = "0123456789abcdef";
  std::string text;
  for (unsigned int i = 0; i < size; ++i) {
    if (i > 0) text += ':';
    text += digits[digest[i] >> 4U];
    text += digits[digest[i] & 0x0fU];
  }
  return text;
}

Pin pin_of(const X509* certificate) {
  Pin pin{};
  unsigned char* bytes = nullptr;
  const int size = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &bytes);
  if (size <= 0) return pin;
  EVP_Digest(bytes, static_cast<std::size_t>(size), pin.data(), nullptr, EVP_sha256(), nullptr);
  OPENSSL_free(bytes);
  return pin;
}

RefusedCertificate describe_refused(int verify_code, const X509* certificate) {
  RefusedCertificate refused;
  refused.verify_code = verify_code;
  if (certificate == nullptr) return refused;
  refused.subject = text_of(X509_get_subject_name(certificate));
  refused.issuer = text_of(X509_get_issuer_name(certificate));
  refused.sha256 = fingerprint_of(certificate);
  refused.pin = pin_of(certificate);
  refused.names = names_of(certificate);
  refused.not_before = text_of(X509_get0_notBefore(certificate));
  refused.not_after = text_of(X509_get0_notAfter(certificate));
  ERR_clear_error();
  return refused;
}

}  // namespace satellite::tls
