#include "agent/config/client_identity.hpp"

#include "agent/config/secret_file.hpp"
#include "protocol/vocabulary/byte_count.hpp"
#include "protocol/vocabulary/unique_fd.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <utility>

namespace satellite::agent {
namespace {

using namespace satellite::byte_literals;

// A chain of RSA certificates is some 10 KiB.
constexpr ByteCount client_file_size_max = 256_KiB;

Error too_large(const std::string& name) {
  return Error{ErrorCode::limit_exceeded, name + ": larger than 256 KiB"};
}

Result<std::string> read_public_file(const std::string& path, const std::string& name) {
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
  if (!file) return error_from_errno(name, errno);
  std::string text;
  std::array<char, 4096> piece{};
  while (text.size() <= client_file_size_max.value) {
    const ssize_t got = ::read(file.get(), piece.data(), piece.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return error_from_errno(name, errno);
    if (got == 0) return text;
    text.append(piece.data(), static_cast<std::size_t>(got));
  }
  return too_large(name);
}

}  // namespace

Result<tls::ClientCertificate> read_client_certificate(const ClientFiles& files) {
  tls::ClientCertificate client;
  client.certificate_name = files.certificate_setting + ": file " + files.certificate;
  client.key_name = files.key_setting + ": file " + files.key;
  auto certificate = read_public_file(files.certificate, client.certificate_name);
  if (!certificate) return certificate.error();
  client.certificate_pem = *std::move(certificate);
  auto key = read_secret_file(files.key, client.key_name, client_file_size_max);
  if (!key) return key.error();
  client.key_pem = Secret(*std::move(key));
  if (client.key_pem.reveal().size() > client_file_size_max.value) {
    return too_large(client.key_name);
  }
  const auto described = tls::describe(client);
  if (!described) return described.error();
  return client;
}

Result<bool> ClientIdentity::refresh() {
  if (files_.certificate.empty()) return false;
  // Before the content: what changes in between is seen the next time.
  const std::array versions{version_of_file(files_.certificate), version_of_file(files_.key)};
  if (was_seen_ && versions == seen_) return false;
  auto read = read_client_certificate(files_);
  if (!read && !lasts(read.error())) {
    // Nothing was seen: both are read again the next time, but not told again in the same words.
    if (std::exchange(told_, read.error().message) == read.error().message) return false;
    return read.error();
  }
  seen_ = versions;
  was_seen_ = true;
  told_.clear();
  if (!read) return read.error();
  const bool is_new = certificate_ == nullptr ||
                      read->certificate_pem != certificate_->certificate_pem ||
                      read->key_pem.reveal() != certificate_->key_pem.reveal();
  if (is_new) {
    certificate_ = std::make_shared<const tls::ClientCertificate>(*std::move(read));
  }
  return is_new;
}

Result<void> ClientIdentity::replace(ClientFiles files) {
  ClientIdentity other(std::move(files));
  const auto read = other.refresh();
  if (!read) return read.error();
  *this = std::move(other);
  return {};
}

}  // namespace satellite::agent
