#include "agent/packages/archive/gunzip.hpp"
#include "agent/packages/archive/package_contents.hpp"
#include "agent/packages/archive/tar_reader.hpp"
#include "agent/packages/manifest/locale_order.hpp"
#include "agent/packages/manifest/manifest.hpp"
#include "agent/packages/manifest/package_name.hpp"
#include "agent/packages/placement/placement.hpp"
#include "agent/packages/placement/version_range.hpp"
#include "tests/fuzz/promises.hpp"
#include "tests/fuzz/targets.hpp"
#include "tls/digest.hpp"

#include <algorithm>
#include <map>
#include <set>

namespace satellite::fuzz {
namespace {

using namespace satellite::agent;
using protocol::ScriptPackage;

constexpr std::size_t tar_block_size = 512;
constexpr std::size_t checksum_begin = 148, checksum_end = 156, magic_begin = 257;
constexpr ArchiveBounds small_bounds{ByteCount{1U << 20U}, 64};

/// Writes what a reader was given, and watches that it could be unpacked as it stands.
class WatchingSink : public TarSink {
 public:
  Result<void> directory(const std::string& path) override {
    look_at(path);
    directories_.insert(path);
    return note("d " + path + "\n");
  }
  Result<void> begin_file(const std::string& path, bool executable) override {
    look_at(path);
    files_.insert(path);
    if (is_open_) broken = "a file within a file";
    is_open_ = true;
    return note((executable ? "x " : "f ") + path + "\n");
  }
  Result<void> content(std::string_view bytes) override {
    if (!is_open_) broken = "content of no file";
    if (bytes.empty()) broken = "content that is none";
    return note(std::string(bytes));
  }
  Result<void> end_file() override {
    if (!is_open_) broken = "an end of no file";
    is_open_ = false;
    return note("\n");
  }

  Broken broken;
  std::string text;

 private:
  void look_at(const std::string& path) {
    const auto slash = path.rfind('/');
    const bool leads_away = path.empty() || path.front() == '/' ||
                            ("/" + path + "/").find("/../") != std::string::npos ||
                            ("/" + path + "/").find("/./") != std::string::npos ||
                            path.find("//") != std::string::npos || path.back() == '/' ||
                            path.find('\0') != std::string::npos || path.size() > 1'024;
    if (leads_away) broken = "a path that leads away: " + path;
    if (directories_.contains(path) || files_.contains(path)) broken = "a name twice: " + path;
    if (slash != std::string::npos && !directories_.contains(path.substr(0, slash))) {
      broken = "a path before its directory: " + path;
    }
  }
  Result<void> note(const std::string& more) {
    text += more;
    return {};
  }

  std::set<std::string> directories_, files_;
  bool is_open_ = false;
};

/// A fuzzer cannot guess sums: every block that looks like a header gets its own.
std::string with_checksums(std::string_view input) {
  std::string tar(input);
  for (std::size_t at = 0; at + tar_block_size <= tar.size(); at += tar_block_size) {
    if (tar.compare(at + magic_begin, 5, "ustar") != 0) continue;
    unsigned sum = 0;
    for (std::size_t i = 0; i < tar_block_size; ++i) {
      const bool is_checksum = i >= checksum_begin && i < checksum_end;
      sum += static_cast<unsigned char>(is_checksum ? ' ' : tar[at + i]);
    }
    for (std::size_t i = checksum_end - 2; i-- > checksum_begin; sum /= 8) {
      tar[at + i] = static_cast<char>('0' + sum % 8);
    }
    tar[at + checksum_end - 2] = '\0';
    tar[at + checksum_end - 1] = ' ';
  }
  return tar;
}

/// What came of an archive that was read in pieces of this size: its error, or nothing.
std::string read_in_pieces(const std::string& tar, std::size_t piece, WatchingSink& sink) {
  TarReader reader(sink, small_bounds);
  for (std::size_t at = 0; at < tar.size(); at += piece) {
    const auto fed = reader.feed(std::string_view(tar).substr(at, piece));
    if (!fed) return fed.error().message;
  }
  const auto ended = reader.finish();
  return ended ? std::string() : ended.error().message;
}

std::vector<ScriptPackage> packages_in(std::string_view input) {
  std::vector<ScriptPackage> packages;
  for (const std::string& line : lines_of(input)) {
    ScriptPackage package;
    std::string* const fields[] = {&package.name, &package.version, &package.integrity};
    std::size_t begin = 0;
    for (std::string* field : fields) {
      const std::size_t end = std::min(line.find(' ', begin), line.size());
      *field = line.substr(begin, end - begin);
      begin = std::min(end + 1, line.size());
    }
    if (begin < line.size()) package.blob_sha256 = line.substr(begin);
    packages.push_back(std::move(package));
  }
  return packages;
}

/// The list with the hash that it has to have.
protocol::ScriptPackageManifest with_its_hash(std::vector<ScriptPackage> packages) {
  std::stable_sort(packages.begin(), packages.end(), [](const auto& a, const auto& b) {
    const int by_name = compare_in_locale_order(a.name, b.name);
    return by_name != 0 ? by_name < 0 : compare_in_locale_order(a.version, b.version) < 0;
  });
  std::string lines;
  for (const auto& package : packages) {
    lines += package.name + " " + package.version + " " + package.integrity + "\n";
  }
  return {tls::sha256_of(lines), std::move(packages)};
}

}  // namespace

Broken check_archive_target(std::string_view input) {
  Gunzip gunzip(ByteCount{1U << 16U}, [](std::string_view) { return Result<void>(); });
  const auto unzipped = gunzip.feed(input);
  if (!unzipped) {
    if (auto unfit = unless_fit_for_log(unzipped.error())) return unfit;
  }
  const std::string tar = with_checksums(input);
  WatchingSink whole, pieces;
  const std::string at_once = read_in_pieces(tar, std::max<std::size_t>(tar.size(), 1), whole);
  const std::string in_pieces = read_in_pieces(tar, 7, pieces);
  if (whole.broken) return whole.broken;
  if (pieces.broken) return pieces.broken;
  if (at_once != in_pieces) return "read in pieces: " + in_pieces + ", at once: " + at_once;
  if (at_once.empty() && whole.text != pieces.text) return "pieces make another archive";
  return unless_fit_for_log({ErrorCode::invalid_input, at_once.empty() ? "none" : at_once});
}

Broken check_manifest_target(std::string_view input) {
  if (const auto raw = parse_manifest_text(input)) {
    if (parse_manifest_text(manifest_text(*raw))->lockfile_hash != raw->lockfile_hash) {
      return "a list that changes by being written";
    }
  }
  if (const auto contents = parse_contents(input); contents && contents_text(*contents) != input) {
    return "one list of files has two forms";
  }
  const auto manifest = check_manifest(with_its_hash(packages_in(input)));
  if (!manifest) return unless_fit_for_log(manifest.error());
  const auto again = parse_manifest_text(manifest_text(*manifest));
  if (!again || manifest_text(*again) != manifest_text(*manifest)) {
    return "a list that cannot be read again";
  }
  std::set<std::string> places;
  for (const ScriptPackage& package : manifest->entries) {
    const std::string place = directory_name_of(package.name, package.version);
    if (place.find('/') != std::string::npos || place.front() == '.') {
      return "a package whose place leads away: " + place;
    }
    if (!places.insert(place).second) return "two packages in one place: " + place;
  }
  return std::nullopt;
}

Broken check_package_json_target(std::string_view input) {
  const auto [first, second] = divided(input);
  std::vector<PlacedPackage> packages{
      {"a", "1.0.0", {}}, {"a", "1.2.0-beta.1", {}}, {"b", "2.0.0", {}}, {"@s/c", "0.1.0", {}}};
  std::size_t next = 0;
  for (const std::string_view text : {first, second}) {
    auto needs = read_package_needs(text);
    if (!needs) {
      if (auto unfit = unless_fit_for_log(needs.error())) return unfit;
      continue;
    }
    for (const PackageNeed& need : *needs) {
      if (!check_package_name(need.alias) || !check_package_name(need.name)) {
        return "a need whose name leads away";
      }
    }
    packages.at(next++).needs = *std::move(needs);
  }
  const auto placement = place_packages(packages);
  if (!placement) return unless_fit_for_log(placement.error());
  for (std::size_t i = 0; i < packages.size(); ++i) {
    std::set<std::string> aliases;
    for (const auto& link : placement->links.at(i)) {
      if (link.target >= packages.size()) return "a link to no package";
      if (!aliases.insert(link.alias).second) return "two links of one name";
    }
  }
  for (const auto& warning : placement->warnings) {
    if (auto unfit = unless_fit_for_log({ErrorCode::not_found, warning})) return unfit;
  }
  return std::nullopt;
}

}  // namespace satellite::fuzz
