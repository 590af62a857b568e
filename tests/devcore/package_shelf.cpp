#include "tests/devcore/package_shelf.hpp"

#include "tests/devcore/codec/core_codec.hpp"

#include <openssl/evp.h>

namespace satellite::devcore {
namespace {

std::string base64_of(const std::string& bytes) {
  std::string text((bytes.size() + 2) / 3 * 4 + 1, '\0');  // and the zero that it writes
  const int size = ::EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()),
                                     reinterpret_cast<const unsigned char*>(bytes.data()),
                                     static_cast<int>(bytes.size()));
  text.resize(static_cast<std::size_t>(size));
  return text;
}

PackageReply manifest_reply(const PackageShelf& shelf, const std::string& hash) {
  const auto found = shelf.manifests.find(hash);
  if (found != shelf.manifests.end()) return {encode_core_message(found->second), false};
  return {encode_core_message(protocol::ScriptPackageManifest{hash, {}}), false};
}

PackageReply blob_reply(PackageShelf& shelf, const std::string& integrity) {
  protocol::ScriptPackageBlob blob{integrity, std::nullopt};
  const auto found = shelf.blobs.find(integrity);
  if (found != shelf.blobs.end()) {
    blob.data_base64 = base64_of(found->second);
  }
  return {encode_core_message(std::move(blob)), shelf.cut.erase(integrity) > 0};
}

}  // namespace

std::optional<PackageReply> package_reply(PackageShelf& shelf,
                                          const protocol::AgentMessage& message) {
  if (const auto* manifest = std::get_if<protocol::RequestScriptPackageManifest>(&message)) {
    if (shelf.silent.contains(manifest->lockfile_hash)) return std::nullopt;
    return manifest_reply(shelf, manifest->lockfile_hash);
  }
  if (const auto* blob = std::get_if<protocol::RequestScriptPackageBlob>(&message)) {
    if (shelf.silent.contains(blob->integrity)) return std::nullopt;
    return blob_reply(shelf, blob->integrity);
  }
  return std::nullopt;
}

}  // namespace satellite::devcore
