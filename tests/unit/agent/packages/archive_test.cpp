#include "agent/packages/archive/archive_path.hpp"
#include "agent/packages/archive/unpack_archive.hpp"
#include "agent/packages/archive/unpack_process.hpp"
#include "tests/support/file_text.hpp"
#include "tests/support/in_child.hpp"
#include "tests/support/require_layer.hpp"
#include "tests/support/satellite_process.hpp"
#include "tests/support/temp_dir.hpp"
#include "tests/support/test_packages.hpp"

#include <fcntl.h>
#include <sched.h>
#include <sys/stat.h>
#include <unistd.h>
#include <algorithm>
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <functional>
#include <sstream>
#include <stop_token>
#include <string>
#include <vector>

using namespace satellite;
using namespace satellite::agent;
using namespace satellite::tests;
namespace fs = std::filesystem;

namespace {

using Format = TarMaker::Format;
using Entry = TarMaker::Entry;

struct NamedArchive {
  std::string name;
  std::string bytes;
};

const std::string top = "p@1@@@1/";

std::string packed(TarMaker& maker) {
  return gzip(maker.finish());
}

std::string with_entries(const std::vector<std::pair<std::string, Entry>>& entries,
                         Format format = Format::gnu) {
  TarMaker maker(format);
  for (const auto& [name, entry] : entries) maker.add(name, "x", entry);
  return packed(maker);
}

std::string repeated(const std::string& part, int count) {
  std::string all;
  for (int i = 0; i < count; ++i) all += part;
  return all;
}

/// Archives that must leave nothing behind.
std::vector<NamedArchive> hostile_archives() {
  TarMaker many_maker;
  for (int i = 0; i < 60'000; ++i) many_maker.add(top + "f" + std::to_string(i), "");
  TarMaker bomb, plain;
  bomb.header(top + "bomb", 600ULL << 20U, {}).bytes(std::string(1U << 20U, '\0'));
  const std::string good = gzip(plain.add(top + "package.json", "{}").finish());
  return {
      {"dotdot", with_entries({{top + "../../x", {}}})},
      {"absolute", with_entries({{"/etc/x", {}}})},
      {"symbolic link", with_entries({{top + "a", {'2', 0777, "/etc"}}, {top + "a/passwd", {}}})},
      {"hard link", with_entries({{top + "a", {'1', 0644, "/etc/passwd"}}})},
      {"device", with_entries({{top + "a", {'3', 0644, ""}}})},
      {"fifo", with_entries({{top + "a", {'6', 0644, ""}}})},
      {"two top directories", with_entries({{top + "a", {}}, {"q@1@@@1/a", {}}})},
      {"a name twice", with_entries({{top + "a", {}}, {top + "a", {}}})},
      {"a file used as directory", with_entries({{top + "a", {}}, {top + "a/b", {}}})},
      {"dotdot in a pax path",
       with_entries({{top + std::string(120, 'x') + "/../../../y", {}}}, Format::pax)},
      {"too long", with_entries({{top + repeated(std::string(200, 'd') + "/", 8) + "f", {}}})},
      {"too deep", with_entries({{top + repeated("d/", 60) + "f", {}}})},
      {"backslash", with_entries({{top + "..\\..\\x", {}}})},
      {"drive letter", with_entries({{"C:/x/y", {}}})},
      {"bomb", packed(bomb)},
      {"many", packed(many_maker)},
      {"cut", good.substr(0, good.size() - 12)},
      {"garbage behind it", good + repeated("garbage", 20)},
      {"two members", good + good},
      {"no gzip", repeated("hello world", 40)},
      {"empty", gzip("")},
  };
}

/// And more of them, one for each further rule.
std::vector<NamedArchive> broken_archives() {
  const auto made = [](const std::function<void(TarMaker&)>& make, Format format = Format::posix) {
    TarMaker maker(format);
    make(maker);
    return packed(maker);
  };
  TarMaker without_end, behind_end, one_zero_block;
  without_end.add(top + "a");
  std::string endless = without_end.finish();
  endless.resize(endless.size() - 1'024);
  const std::string behind = behind_end.add(top + "a").finish() + "x";
  std::string bad_sum = without_end.finish();
  bad_sum[0] = 'q';
  const auto with_records = [&](const std::string& records, char type = 'x') {
    return made([&](TarMaker& maker) {
      maker.header("pax", records.size(), {type, 0644, ""});
      maker.bytes(records + std::string(512 - records.size() % 512, '\0')).add(top + "a");
    });
  };
  return {
      {"no end", gzip(endless)},
      {"bytes behind the end", gzip(behind)},
      {"bad checksum", gzip(bad_sum)},
      {"sparse file", made([](TarMaker& maker) {
         maker.add(top + "a", "x", {'S', 0644, ""});
       })},
      {"contiguous", made([](TarMaker& maker) {
         maker.add(top + "a", "x", {'7', 0644, ""});
       })},
      {"file outside", made([](TarMaker& maker) { maker.add("package.json"); })},
      {"directory with content", made([](TarMaker& maker) {
         maker.header(top + "d", 1, {'5', 0755, ""});
       })},
      {"size in a pax header", with_records(pax_record("size", "5"))},
      {"link in a pax header", with_records(pax_record("linkpath", "/etc"))},
      {"path for all", with_records(pax_record("path", top + "b"), 'g')},
      {"zero byte in a pax path", with_records(pax_record("path", top + std::string("b\0c", 3)))},
      {"record that is none", with_records("999 path=x\n")},
      {"record without key", with_records("4 x\n")},
      {"huge header text", made([](TarMaker& maker) {
         maker.header("pax", 65'537, {'x', 0644, ""});
       })},
      {"long name without an entry", made([](TarMaker& maker) {
         maker.header("././@LongLink", 4, {'L', 0644, ""});
         maker.bytes(std::string("p/a", 3) + std::string(509, '\0'));
       })},
      {"line break in a name", made([](TarMaker& maker) { maker.add(top + "a\nb"); })},
      {"a file where a directory is",
       made([](TarMaker& maker) { maker.add(top + "a/b").add(top + "a"); })},
      {"one zero block in the middle", made([](TarMaker& maker) {
         maker.add(top + "a").bytes(std::string(512, '\0')).add(top + "b");
       })},
      {"a size that is no number", gzip(without_end.finish().replace(124, 4, "\xff\xff\xff\xff"))},
  };
}

UniqueFd file_with(const TempDir& directory, const std::string& bytes) {
  return UniqueFd(::open(directory.write("archive", bytes).c_str(), O_RDONLY | O_CLOEXEC));
}

/// Unpacks in this process; the directory is `into`.
Result<PackageContents> unpacked(const TempDir& files, const fs::path& into,
                                 const std::string& bytes) {
  fs::create_directory(into);
  const UniqueFd archive = file_with(files, bytes);
  const UniqueFd directory(::open(into.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  return unpack_archive(archive.get(), directory.get(), {});
}

/// Every file and directory below, with modes and contents, to compare two trees.
std::string listing_of(const fs::path& root) {
  std::vector<std::string> lines;
  for (const auto& entry : fs::recursive_directory_iterator(root)) {
    const std::string path = fs::relative(entry.path(), root).string();
    struct stat facts {};
    ::lstat(entry.path().c_str(), &facts);
    const bool executable = (facts.st_mode & 0111U) != 0;
    lines.push_back(entry.is_directory()
                        ? path + "/"
                        : path + (executable ? " x " : " - ") + file_text(entry.path()));
  }
  std::sort(lines.begin(), lines.end());
  std::string all;
  for (const auto& line : lines) all += line + "\n";
  return all;
}

}  // namespace

TEST_CASE("hostile archives are refused by the process that unpacks, and it takes the next one") {
  const TempDir files, store;
  const UniqueFd directory(::open(store.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  auto process = UnpackProcess::start(satellite_program(), directory.get());
  if (!process) FAIL(process.error().message);
  CHECK(process->walls().find("system calls") != std::string::npos);
  auto archives = hostile_archives();
  CHECK(archives.size() == 21);
  for (auto& more : broken_archives()) archives.push_back(std::move(more));
  int number = 0;
  for (const auto& [name, bytes] : archives) {
    INFO(name);
    const UniqueFd archive = file_with(files, bytes);
    const auto taken = process->unpack(archive.get(), std::to_string(++number), {});
    REQUIRE_FALSE(taken);
    INFO(taken.error().message);
    const auto code = taken.error().code;
    CHECK((code == ErrorCode::invalid_input || code == ErrorCode::limit_exceeded));
    CHECK_FALSE(fs::exists(store.path() / std::to_string(number) / "contents"));
  }
  const UniqueFd good = file_with(files, blob_of({"a", "1.0.0", {{"index.js", "1"}}, {}, {}}));
  REQUIRE(process->unpack(good.get(), "good", {}));
  CHECK(file_text(store.path() / "good/package/index.js") == "1");
  CHECK(parse_contents(file_text(store.path() / "good/contents")));
}

TEST_CASE("a process that unpacks and is ended says so, once and again, and nobody else ends") {
  const TempDir files, store;
  const std::string told = in_child([&] {
    // Signals from in here reach nobody outside, whatever number they are sent to.
    const int own_user = ::geteuid() == 0 ? 0 : CLONE_NEWUSER;
    if (::unshare(own_user | CLONE_NEWPID) != 0) return std::string("no namespaces");
    return in_child([&] {
      const UniqueFd directory(::open(store.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
      auto process = UnpackProcess::start(satellite_program(), directory.get());
      if (!process) return process.error().message;
      const UniqueFd good = file_with(files, blob_of({"a", "1.0.0", {}, {}, {}}));
      // Asked to stop, the owner ends it instead of waiting for its answer.
      std::stop_source stop;
      stop.request_stop();
      int ends[2] = {-1, -1};
      if (::pipe2(ends, O_CLOEXEC) != 0) return std::string("no pipe");
      const UniqueFd slow(ends[0]), silent(ends[1]);
      std::string text = process->is_usable() ? "usable " : "broken ";
      for (const int archive : {slow.get(), good.get(), good.get()}) {
        const auto done = process->unpack(archive, "x", stop.get_token());
        text += done ? "taken " : std::string(name_of(done.error().code)) + " ";
      }
      return text + (process->is_usable() ? "usable" : "broken");
    });
  });
  if (!require_layer("user namespaces", told != "no namespaces", told)) return;
  INFO(told);
  CHECK(told == "usable cancelled io_failed io_failed broken");
}

TEST_CASE("odd but legitimate archives are taken") {
  const TempDir files;
  const std::string long_path = repeated(std::string(200, 'd') + "/", 3) + "f";
  for (const Format format : {Format::gnu, Format::pax}) {
    TarMaker maker(format);
    const fs::path into = files.path() / std::to_string(static_cast<int>(format));
    const auto contents = unpacked(files, into, packed(maker.add(top + long_path, "deep")));
    if (!contents) FAIL(contents.error().message);
    CHECK(file_text(into / long_path) == "deep");
  }
  TarMaker odd(Format::gnu);
  odd.header("pax_global_header", 18, {'g', 0644, ""});
  odd.bytes("18 comment=abcdef\n" + std::string(512 - 18, '\0'));
  odd.add("./" + top, "", {'5', 0777, ""}).add("./" + top + "bin/", "", {'0', 0755, ""});
  odd.add("./" + top + "bin//run", "go", {'\0', 04755, ""}).add(top + "bin/run.js");
  const auto contents = unpacked(files, files.path() / "odd", packed(odd));
  if (!contents) FAIL(contents.error().message);
  struct stat facts {};
  REQUIRE(::stat((files.path() / "odd/bin/run").c_str(), &facts) == 0);
  CHECK((facts.st_mode & 07777U) == 0555);
  REQUIRE(::stat((files.path() / "odd/bin/run.js").c_str(), &facts) == 0);
  CHECK((facts.st_mode & 07777U) == 0444);
  CHECK(contents->files() == 2);
}

TEST_CASE("what tar packs is unpacked as tar unpacks it") {
  if (::system("tar --version >/dev/null 2>&1") != 0) return;
  const TempDir files;
  const fs::path from = files.path() / "from/top";
  for (int i = 0; i < 40; ++i) {
    const fs::path directory = from / std::string(static_cast<std::size_t>(i) + 1, 'a') /
                               std::string(static_cast<std::size_t>(200 - 4 * i), 'b');
    fs::create_directories(directory);
    std::ofstream(directory / (std::to_string(i) + ".js")) << repeated("content ", i * i * 7);
    if (i % 3 == 0) fs::permissions(directory / (std::to_string(i) + ".js"), fs::perms::all);
  }
  fs::create_directories(from / "empty");
  std::ofstream(from / "\xc3\xa9t\xc3\xa9.js") << "1";
  for (const char* format : {"gnu", "pax", "ustar"}) {
    INFO(format);
    // The shortest of its paths only: what that format cannot hold, tar itself leaves out.
    const std::string archive = (files.path() / (std::string(format) + ".tgz")).string();
    const std::string directory = (files.path() / ("tar-" + std::string(format))).string();
    fs::create_directory(directory);
    const std::string make = "tar -C '" + (files.path() / "from").string() +
                             "' --format=" + format + " -czf '" + archive +
                             "' top 2>/dev/null; tar -C '" + directory + "' -xzf '" + archive + "'";
    REQUIRE(::system(make.c_str()) == 0);
    const fs::path ours = files.path() / ("ours-" + std::string(format));
    const auto contents = unpacked(files, ours, file_text(archive));
    if (!contents) FAIL(contents.error().message);
    CHECK(listing_of(ours) == listing_of(directory + "/top"));
    CHECK(contents->files() >= 10);
  }
}

TEST_CASE("an archive that arrives byte by byte is the same archive") {
  class Lines : public TarSink {
   public:
    Result<void> directory(const std::string& path) override { return add("d " + path + "\n"); }
    Result<void> begin_file(const std::string& path, bool executable) override {
      return add((executable ? "x " : "f ") + path + "\n");
    }
    Result<void> content(std::string_view bytes) override { return add(std::string(bytes)); }
    Result<void> end_file() override { return add("\n"); }
    std::string text;

   private:
    Result<void> add(const std::string& more) {
      text += more;
      return {};
    }
  };
  TarMaker maker(Format::gnu);
  const std::string tar = maker.add(top + std::string(150, 'n'), repeated("x", 1'000))
                              .add(top + "a/b", "")
                              .add(top + "c", repeated("y", 512))
                              .finish();
  Lines whole, pieces;
  TarReader at_once(whole, {}), one_by_one(pieces, {});
  REQUIRE(at_once.feed(tar));
  for (const char byte : tar) REQUIRE(one_by_one.feed({&byte, 1}));
  CHECK(at_once.finish());
  CHECK(one_by_one.finish());
  CHECK(whole.text == pieces.text);
  CHECK(whole.text.find("d a\n") != std::string::npos);
}

TEST_CASE("a list of files that was not made by us is refused") {
  const std::string digest(64, '0');
  const std::string good = "d a\nf " + digest + " 5 a/b c\nx " + digest + " 0 d\n";
  const auto contents = parse_contents(good);
  REQUIRE(contents);
  CHECK(contents_text(*contents) == good);
  CHECK(contents->entries.at(1).path == "a/b c");
  for (const std::string& damaged : std::vector<std::string>{
           good.substr(0, good.size() - 1), std::string("d ../x\n"), std::string("d /x\n"),
           std::string("l x\n"), "f " + digest + " x a\n", "f 00 5 a\n", std::string("d a//b\n"),
           std::string("d\n"), "f " + digest + " 05 a\n", std::string("\n")}) {
    INFO(damaged);
    CHECK_FALSE(parse_contents(damaged));
  }
}
