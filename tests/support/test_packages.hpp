#pragma once

#include "protocol/core_messages.hpp"
#include "tests/devcore/package_shelf.hpp"

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace satellite::tests {

/// A tar archive, written field by field, so that it can be wrong.
class TarMaker {
 public:
  enum class Format { posix, gnu, pax };
  explicit TarMaker(Format format = Format::posix) : format_(format) {}

  struct Entry {
    char type = '0';
    unsigned mode = 0644;
    std::string link;
  };
  /// A name that the header cannot hold goes before it in the way of the format.
  TarMaker& add(const std::string& name, const std::string& content, const Entry& entry);
  TarMaker& add(const std::string& name, const std::string& content = "x") {
    return add(name, content, Entry{});
  }
  /// A header as it is, its size what it says, and bytes behind it.
  TarMaker& header(const std::string& name, std::uint64_t size, const Entry& entry);
  TarMaker& bytes(std::string_view raw);
  /// With the blocks of zeros that end an archive.
  std::string finish();

 private:
  Format format_;
  std::string archive_;
};

std::string gzip(std::string_view bytes);
std::string pax_record(const std::string& key, const std::string& value);

/// A package as a test thinks of it.
struct TestPackage {
  std::string name, version;
  std::map<std::string, std::string> files;  ///< beside package.json; `bin/…` may be executed
  std::map<std::string, std::string> dependencies, peers;
  std::string package_json() const;
};

/// The archive of a package as the core packs it.
std::string blob_of(const TestPackage& package);
/// Any text that only this package has.
std::string integrity_of(const TestPackage& package);

/// What a core that has these packages serves and wants. Their names must have the same order by
/// bytes as in JavaScript's locale order.
devcore::PackageShelf shelf_with(const std::vector<TestPackage>& packages);
/// The list and its hash, of any blobs.
protocol::ScriptPackageManifest manifest_of(std::vector<protocol::ScriptPackage> entries);

}  // namespace satellite::tests
