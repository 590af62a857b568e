// Certificate and key come as text: who may read the files is asked where they are read, and a
// reload looks at both before it takes either.
#include "tls/client_certificate.hpp"

#include "protocol/vocabulary/clock_moment.hpp"
#include "tls/client_context.hpp"
#include "tls/openssl/certificate_text.hpp"
#include "tls/openssl/errors.hpp"
#include "tls/openssl/handles.hpp"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <ctime>
#include <memory>
#include <vector>

namespace satellite::tls {
namespace {

using ContextPtr = std::unique_ptr<SSL_CTX, Deleter<&SSL_CTX_free>>;

constexpr std::size_t chain_length_max = 16;

/// Without it OpenSSL would ask the terminal.
int no_passphrase(char*, int, int, void* asked) {
  *static_cast<bool*>(asked) = true;
  return 0;
}

BioPtr reader_of(std::string_view text) {
  return BioPtr(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

Result<std::vector<X509Ptr>> read_chain(const ClientCertificate& client) {
  ERR_clear_error();
  const BioPtr memory = reader_of(client.certificate_pem);
  std::vector<X509Ptr> chain;
  while (X509Ptr certificate{PEM_read_bio_X509(memory.get(), nullptr, nullptr, nullptr)}) {
    chain.push_back(std::move(certificate));
    if (chain.size() <= chain_length_max) continue;
    return Error{ErrorCode::invalid_input, client.certificate_name + ": more than 16 certificates"};
  }
  const bool at_the_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  if (!at_the_end && !chain.empty()) {
    return error_from_openssl(ErrorCode::invalid_input, client.certificate_name + ", certificate " +
                                                            std::to_string(chain.size() + 1));
  }
  if (chain.empty()) {
    ERR_clear_error();
    return Error{ErrorCode::invalid_input,
                 client.certificate_name +
                     ": no certificate in it; expected PEM (-----BEGIN CERTIFICATE-----)"};
  }
  ERR_clear_error();
  return chain;
}

Result<KeyPtr> read_key(const ClientCertificate& client) {
  ERR_clear_error();
  const BioPtr memory = reader_of(client.key_pem.reveal());
  bool asked = false;
  KeyPtr key(PEM_read_bio_PrivateKey(memory.get(), nullptr, &no_passphrase, &asked));
  if (key) return key;
  ERR_clear_error();
  if (asked) {
    return Error{ErrorCode::invalid_input,
                 client.key_name +
                     ": the key is behind a passphrase, which nobody is there to type; write it "
                     "without one: openssl pkey -in OLD -out NEW"};
  }
  return Error{
      ErrorCode::invalid_input,
      client.key_name + ": no private key in it; expected PEM (-----BEGIN PRIVATE KEY-----)"};
}

struct Pair {
  std::vector<X509Ptr> chain;
  KeyPtr key;
};

Result<Pair> read_pair(const ClientCertificate& client) {
  auto chain = read_chain(client);
  if (!chain) return chain.error();
  auto key = read_key(client);
  if (!key) return key.error();
  if (X509_check_private_key(chain->front().get(), key->get()) != 1) {
    ERR_clear_error();
    return Error{ErrorCode::invalid_input,
                 client.key_name + ": the key belongs to another certificate than the first in " +
                     client.certificate_name};
  }
  return Pair{*std::move(chain), *std::move(key)};
}

std::chrono::system_clock::time_point moment_of(const ASN1_TIME* time) {
  std::tm parts{};
  if (ASN1_TIME_to_tm(time, &parts) != 1) return {};
  return clock_moment(::timegm(&parts));
}

Result<void> use_pair(SSL_CTX* context, const Pair& pair, const std::string& name) {
  ERR_clear_error();
  bool done = SSL_CTX_use_certificate(context, pair.chain.front().get()) == 1 &&
              SSL_CTX_use_PrivateKey(context, pair.key.get()) == 1;
  for (std::size_t i = 1; done && i < pair.chain.size(); ++i) {
    // Takes a reference of its own.
    done = SSL_CTX_ctrl(context, SSL_CTRL_CHAIN_CERT, 1, pair.chain[i].get()) == 1;
  }
  if (done) return {};
  // The security level refuses small keys and old signatures of our own, too.
  return error_from_openssl(ErrorCode::invalid_input, name);
}

}  // namespace

Result<ClientCertificateFacts> describe(const ClientCertificate& client) {
  const auto pair = read_pair(client);
  if (!pair) return pair.error();
  const ContextPtr trial(SSL_CTX_new(TLS_client_method()));
  if (!trial) return error_from_openssl(ErrorCode::internal, client.certificate_name);
  SSL_CTX_set_security_level(trial.get(), security_level);
  const auto used = use_pair(trial.get(), *pair, client.certificate_name);
  if (!used) return used.error();
  const X509* const own = pair->chain.front().get();
  const RefusedCertificate words = describe_refused(0, own);
  return ClientCertificateFacts{words.subject,
                                words.issuer,
                                words.not_before,
                                words.not_after,
                                moment_of(X509_get0_notBefore(own)),
                                moment_of(X509_get0_notAfter(own))};
}

Result<void> use_client_certificate(ssl_ctx_st* context, const ClientCertificate& client) {
  const auto pair = read_pair(client);
  if (!pair) return pair.error();
  return use_pair(context, *pair, client.certificate_name);
}

std::optional<std::chrono::system_clock::time_point> peer_certificate_end(const ssl_st* ssl) {
  const X509* const certificate = SSL_get0_peer_certificate(ssl);
  if (certificate == nullptr) return std::nullopt;
  return moment_of(X509_get0_notAfter(certificate));
}

std::string in_words(const ClientCertificateFacts& facts,
                     std::chrono::system_clock::time_point now) {
  std::string text = facts.subject + ", of " + facts.issuer + ", valid until " + facts.not_after;
  if (now >= facts.ends) return text + ", which is over by the local clock";
  if (now < facts.begins) return text + ", and not before " + facts.not_before;
  constexpr auto day = std::chrono::hours(24);
  return text + " (" + std::to_string((facts.ends - now) / day) + " days left)";
}

}  // namespace satellite::tls
