#include "tls/openssl/bundle_lookup.hpp"

#include "tls/openssl/errors.hpp"
#include "tls/openssl/handles.hpp"
#include "tls/system_authorities.hpp"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509_vfy.h>
#include <cstdio>
#include <memory>
#include <string>

namespace satellite::tls {
namespace {

using BundleFile = std::unique_ptr<std::FILE, Deleter<&std::fclose>>;

int begin_lookup(X509_LOOKUP* lookup) {
  return X509_LOOKUP_set_method_data(lookup, new std::string) == 1 ? 1 : 0;
}

std::string* path_of(const X509_LOOKUP* lookup) {
  return static_cast<std::string*>(X509_LOOKUP_get_method_data(lookup));
}

void end_lookup(X509_LOOKUP* lookup) {
  delete path_of(lookup);
  X509_LOOKUP_set_method_data(lookup, nullptr);
}

/// The store's own certificate of that name. OpenSSL takes what it is handed here without a
/// reference of its own: that of the store holds it, which may be another copy than was just read.
int hand_over(X509_STORE* store, const X509_NAME* name, X509_OBJECT* answer) {
  X509* const certificate = X509_OBJECT_get0_X509(
      X509_OBJECT_retrieve_by_subject(X509_STORE_get0_objects(store), X509_LU_X509, name));
  if (certificate == nullptr || X509_OBJECT_set1_X509(answer, certificate) != 1) return 0;
  X509_free(certificate);
  return 1;
}

/// All of that name: a renewed authority stands there twice, and OpenSSL tries each.
int find_by_subject(X509_LOOKUP* lookup, X509_LOOKUP_TYPE type, const X509_NAME* name,
                    X509_OBJECT* answer) {
  if (type != X509_LU_X509) return 0;
  const BundleFile file(std::fopen(path_of(lookup)->c_str(), "rbe"));
  if (!file) return 0;
  X509_STORE* const store = X509_LOOKUP_get_store(lookup);
  bool is_found = false;
  ERR_set_mark();
  for (std::size_t looked = 0; looked < authorities_max; ++looked) {
    ERR_clear_last_mark();
    ERR_set_mark();
    const X509Ptr certificate(PEM_read_X509_AUX(file.get(), nullptr, nullptr, nullptr));
    if (!certificate) {
      if (ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE) break;
      continue;
    }
    if (X509_NAME_cmp(X509_get_subject_name(certificate.get()), name) != 0) continue;
    if (X509_STORE_add_cert(store, certificate.get()) == 1) is_found = true;
  }
  ERR_pop_to_mark();
  return is_found ? hand_over(store, name, answer) : 0;
}

X509_LOOKUP_METHOD* make_method() {
  X509_LOOKUP_METHOD* const method = X509_LOOKUP_meth_new("authorities of a bundle, on demand");
  if (method == nullptr) return nullptr;
  X509_LOOKUP_meth_set_new_item(method, &begin_lookup);
  X509_LOOKUP_meth_set_free(method, &end_lookup);
  X509_LOOKUP_meth_set_get_by_subject(method, &find_by_subject);
  return method;
}

}  // namespace

Result<void> look_up_in_bundle(X509_STORE* store, const std::filesystem::path& bundle) {
  // As long as the program, since stores refer to it.
  static X509_LOOKUP_METHOD* const method = make_method();
  X509_LOOKUP* const lookup = method == nullptr ? nullptr : X509_STORE_add_lookup(store, method);
  if (lookup == nullptr) return error_from_openssl(ErrorCode::io_failed, bundle.string());
  *path_of(lookup) = bundle.string();
  return {};
}

}  // namespace satellite::tls
