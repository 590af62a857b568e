#include "tests/devcore/temporary_certificate.hpp"

#include "protocol/vocabulary/unique_fd.hpp"
#include "tls/openssl/errors.hpp"
#include "tls/openssl/handles.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <unistd.h>
#include <cerrno>

namespace satellite::tls {
namespace {

constexpr long version_3 = 2;  // X.509 counts its versions from 0

Error internal(const char* what) {
  return error_from_openssl(ErrorCode::internal, what);
}

std::string text_in(BIO* memory) {
  char* bytes = nullptr;
  const long size = BIO_get_mem_data(memory, &bytes);
  return std::string(bytes, static_cast<std::size_t>(size));
}

Result<CertifiedKey> to_pem(X509* certificate, EVP_PKEY* key) {
  const BioPtr certificate_text(BIO_new(BIO_s_mem()));
  const BioPtr key_text(BIO_new(BIO_s_mem()));
  if (PEM_write_bio_X509(certificate_text.get(), certificate) != 1 ||
      PEM_write_bio_PrivateKey(key_text.get(), key, nullptr, nullptr, 0, nullptr, nullptr) != 1) {
    return internal("writing a certificate as PEM");
  }
  return CertifiedKey{text_in(certificate_text.get()), text_in(key_text.get())};
}

X509Ptr certificate_from(const std::string& pem) {
  const BioPtr memory(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  return X509Ptr(PEM_read_bio_X509(memory.get(), nullptr, nullptr, nullptr));
}

KeyPtr key_from(const std::string& pem) {
  const BioPtr memory(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  return KeyPtr(PEM_read_bio_PrivateKey(memory.get(), nullptr, nullptr, nullptr));
}

/// What both kinds of certificate begin with: a random serial number, a subject, a time span.
struct Beginning {
  std::string subject;
  std::chrono::seconds valid_from, valid_until;
};

Result<X509Ptr> begin(const Beginning& beginning, EVP_PKEY* key) {
  X509Ptr certificate(X509_new());
  std::uint64_t serial = 0;
  if (RAND_bytes(reinterpret_cast<unsigned char*>(&serial), sizeof serial) != 1) {
    return internal("drawing a serial number");
  }
  // Serial numbers are positive (RFC 5280 4.1.2.2), and OpenSSL reads the top bit as a sign.
  ASN1_INTEGER_set_uint64(X509_get_serialNumber(certificate.get()), serial >> 1U);
  X509_set_version(certificate.get(), version_3);
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), beginning.valid_from.count());
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), beginning.valid_until.count());
  X509_NAME* name = X509_get_subject_name(certificate.get());
  const auto* text = reinterpret_cast<const unsigned char*>(beginning.subject.c_str());
  if (X509_set_pubkey(certificate.get(), key) != 1 ||
      X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, text, -1, -1, 0) != 1) {
    return internal("filling a certificate");
  }
  return certificate;
}

struct Extension {
  int id;
  std::string value;
};

Result<void> add_extensions(X509* certificate, X509* issuer, const std::vector<Extension>& all) {
  X509V3_CTX context{};
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  for (const Extension& extension : all) {
    const X509ExtensionPtr made(
        X509V3_EXT_conf_nid(nullptr, &context, extension.id, extension.value.c_str()));
    if (!made || X509_add_ext(certificate, made.get(), -1) != 1) {
      return error_from_openssl(ErrorCode::invalid_input,
                                "the certificate extension \"" + extension.value + "\"");
    }
  }
  return {};
}

Result<std::string> alternative_names(const std::vector<std::string>& names) {
  if (names.empty())
    return Error{ErrorCode::invalid_input, "a certificate needs at least one name"};
  std::string list;
  for (const std::string& name : names) {
    // The list is OpenSSL's configuration language: a comma would smuggle in another entry.
    if (name.empty() || name.find_first_of(",;\n\"\\ ") != std::string::npos) {
      return Error{ErrorCode::invalid_input, "\"" + name + "\" is no name for a certificate"};
    }
    in6_addr room{};
    const bool is_address = ::inet_pton(AF_INET, name.c_str(), &room) == 1 ||
                            ::inet_pton(AF_INET6, name.c_str(), &room) == 1;
    list += (list.empty() ? "" : ",") + std::string(is_address ? "IP:" : "DNS:") + name;
  }
  return list;
}

Result<void> write_file(const std::filesystem::path& path, const std::string& text, ::mode_t mode) {
  // A new file each time: the mode of open(2) means nothing for one that exists already.
  ::unlink(path.c_str());
  const UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode));
  if (!fd) return error_from_errno("creating " + path.string(), errno);
  std::string_view rest = text;
  while (!rest.empty()) {
    const ssize_t written = ::write(fd.get(), rest.data(), rest.size());
    if (written < 0) return error_from_errno("writing " + path.string(), errno);
    rest.remove_prefix(static_cast<std::size_t>(written));
  }
  return {};
}

}  // namespace

Result<TemporaryAuthority> TemporaryAuthority::create() {
  const KeyPtr key(EVP_EC_gen("P-256"));
  if (!key) return internal("making a key");
  std::uint32_t number = 0;
  RAND_bytes(reinterpret_cast<unsigned char*>(&number), sizeof number);
  const Beginning beginning{"temporary authority " + std::to_string(number),
                            -std::chrono::hours(24), std::chrono::hours(24 * 7)};
  Result<X509Ptr> certificate = begin(beginning, key.get());
  if (!certificate) return certificate.error();
  X509* own = certificate->get();
  X509_set_issuer_name(own, X509_get_subject_name(own));
  const Result<void> extended = add_extensions(own, own,
                                               {{NID_basic_constraints, "critical,CA:TRUE"},
                                                {NID_key_usage, "critical,keyCertSign,cRLSign"},
                                                {NID_subject_key_identifier, "hash"}});
  if (!extended) return extended.error();
  if (X509_sign(own, key.get(), EVP_sha256()) == 0) return internal("signing a certificate");
  Result<CertifiedKey> pem = to_pem(own, key.get());
  if (!pem) return pem.error();
  return TemporaryAuthority(std::move(*pem));
}

Result<CertifiedKey> TemporaryAuthority::sign(const CertificateRequest& request) const {
  const Result<std::string> names = alternative_names(request.names);
  if (!names) return names.error();
  const X509Ptr issuer = certificate_from(own_.certificate_pem);
  const KeyPtr issuer_key = key_from(own_.key_pem);
  const KeyPtr key(EVP_EC_gen("P-256"));
  if (!issuer || !issuer_key || !key) return internal("making a key");
  const Beginning beginning{request.names.front(), request.valid_from, request.valid_until};
  Result<X509Ptr> certificate = begin(beginning, key.get());
  if (!certificate) return certificate.error();
  X509* own = certificate->get();
  X509_set_issuer_name(own, X509_get_subject_name(issuer.get()));
  const Result<void> extended = add_extensions(own, issuer.get(),
                                               {{NID_basic_constraints, "critical,CA:FALSE"},
                                                {NID_key_usage, "critical,digitalSignature"},
                                                {NID_ext_key_usage, request.extended_key_usage},
                                                {NID_authority_key_identifier, "keyid"},
                                                {NID_subject_alt_name, *names}});
  if (!extended) return extended.error();
  if (X509_sign(own, issuer_key.get(), EVP_sha256()) == 0) return internal("signing a certificate");
  return to_pem(own, key.get());
}

Result<void> TemporaryAuthority::write_certificate(const std::filesystem::path& path) const {
  return write_file(path, own_.certificate_pem, 0644);
}

Result<void> write_private_file(const std::filesystem::path& path, const std::string& text) {
  return write_file(path, text, 0600);
}

}  // namespace satellite::tls
