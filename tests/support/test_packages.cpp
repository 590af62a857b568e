#include "tests/support/test_packages.hpp"

#include "tls/digest.hpp"

#include <zlib.h>
#include <algorithm>
#include <cstdio>
#include <cstring>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <tuple>

namespace satellite::tests {
namespace {

constexpr std::size_t tar_block = 512;
constexpr std::size_t tar_name_max = 100;

std::string padded(std::string_view bytes) {
  std::string all(bytes);
  all.resize((all.size() + tar_block - 1) / tar_block * tar_block, '\0');
  return all;
}

}  // namespace

std::string pax_record(const std::string& key, const std::string& value) {
  const std::string rest = " " + key + "=" + value + "\n";
  std::size_t length = rest.size() + 1;
  while (std::to_string(length).size() + rest.size() != length) ++length;
  return std::to_string(length) + rest;
}

TarMaker& TarMaker::header(const std::string& name, std::uint64_t size, const Entry& entry) {
  std::string block(tar_block, '\0');
  const auto put = [&block](std::size_t at, std::string_view text) {
    std::copy(text.begin(), text.end(), block.begin() + static_cast<std::ptrdiff_t>(at));
  };
  char number[16];
  put(0, name.substr(0, tar_name_max));
  std::snprintf(number, sizeof(number), "%07o", entry.mode);
  put(100, number);
  put(108, "0000000");
  put(116, "0000000");
  std::snprintf(number, sizeof(number), "%011llo", static_cast<unsigned long long>(size));
  put(124, number);
  put(136, "00000000000");
  put(148, "        ");
  block[156] = entry.type;
  put(157, entry.link.substr(0, tar_name_max));
  put(257, format_ == Format::gnu ? std::string_view("ustar  \0", 8)
                                  : std::string_view("ustar\0"
                                                     "00",
                                                     8));
  unsigned sum = 0;
  for (const char byte : block) sum += static_cast<unsigned char>(byte);
  std::snprintf(number, sizeof(number), "%06o", sum);
  put(148, std::string_view(number, 7));
  archive_ += block;
  return *this;
}

TarMaker& TarMaker::bytes(std::string_view raw) {
  archive_ += raw;
  return *this;
}

TarMaker& TarMaker::add(const std::string& name, const std::string& content, const Entry& entry) {
  if (name.size() > tar_name_max && format_ == Format::gnu) {
    header("././@LongLink", name.size() + 1, {'L', 0644, ""}).bytes(padded(name + '\0'));
  } else if (name.size() > tar_name_max) {
    const std::string record = pax_record("path", name);
    header("pax", record.size(), {'x', 0644, ""}).bytes(padded(record));
  }
  const bool has_content = entry.type == '0' || entry.type == '\0';
  header(name, has_content ? content.size() : 0, entry);
  return has_content ? bytes(padded(content)) : *this;
}

std::string TarMaker::finish() {
  return archive_ + std::string(2 * tar_block, '\0');
}

std::string gzip(std::string_view bytes) {
  z_stream stream{};
  if (::deflateInit2(&stream, 1, Z_DEFLATED, MAX_WBITS + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK) {
    throw std::runtime_error("deflateInit2 failed");
  }
  std::string packed(::deflateBound(&stream, bytes.size()), '\0');
  stream.next_in = const_cast<Bytef*>(reinterpret_cast<const Bytef*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(packed.data());
  stream.avail_out = static_cast<uInt>(packed.size());
  if (::deflate(&stream, Z_FINISH) != Z_STREAM_END) throw std::runtime_error("deflate failed");
  packed.resize(stream.total_out);
  ::deflateEnd(&stream);
  return packed;
}

std::string TestPackage::package_json() const {
  nlohmann::json json{{"name", name}, {"version", version}};
  if (!dependencies.empty()) json["dependencies"] = dependencies;
  if (!peers.empty()) json["peerDependencies"] = peers;
  return json.dump();
}

std::string blob_of(const TestPackage& package) {
  // Packed from within the scope's directory, so that the archive knows nothing of the scope.
  const std::string bare = package.name.substr(package.name.find('/') + 1);
  const std::string top = bare + "@" + package.version + "@@@1/";
  TarMaker archive;
  archive.add(top, "", {'5', 0755, ""});
  archive.add(top + "package.json", package.package_json());
  for (const auto& [path, content] : package.files) {
    archive.add(top + path, content, {'0', path.starts_with("bin/") ? 0755U : 0644U, ""});
  }
  return gzip(archive.finish());
}

std::string integrity_of(const TestPackage& package) {
  return "sha512-" + package.name + "@" + package.version;
}

protocol::ScriptPackageManifest manifest_of(std::vector<protocol::ScriptPackage> entries) {
  std::sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) {
    return std::tie(a.name, a.version) < std::tie(b.name, b.version);
  });
  std::string lines;
  for (const auto& entry : entries) {
    lines += entry.name + " " + entry.version + " " + entry.integrity + "\n";
  }
  return {tls::sha256_of(lines), std::move(entries)};
}

devcore::PackageShelf shelf_with(const std::vector<TestPackage>& packages) {
  devcore::PackageShelf shelf;
  std::vector<protocol::ScriptPackage> entries;
  for (const TestPackage& package : packages) {
    std::string blob = blob_of(package);
    entries.push_back({package.name, package.version, integrity_of(package), tls::sha256_of(blob)});
    shelf.blobs[integrity_of(package)] = std::move(blob);
  }
  auto manifest = manifest_of(std::move(entries));
  shelf.statement = {true, manifest.lockfile_hash};
  shelf.manifests[manifest.lockfile_hash] = std::move(manifest);
  return shelf;
}

}  // namespace satellite::tests
