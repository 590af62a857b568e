#include "agent/commands/tar_text.hpp"

#include "agent/packages/archive/tar_reader.hpp"

#include <catch2/catch.hpp>
#include <map>

using namespace satellite;
using namespace satellite::agent;

namespace {

class Files : public TarSink {
 public:
  Result<void> directory(const std::string&) override { return {}; }
  Result<void> begin_file(const std::string& path, bool executable) override {
    CHECK_FALSE(executable);
    current_ = path;
    found[path];
    return {};
  }
  Result<void> content(std::string_view bytes) override {
    found[current_] += bytes;
    return {};
  }
  Result<void> end_file() override { return {}; }

  std::map<std::string, std::string> found;

 private:
  std::string current_;
};

}  // namespace

TEST_CASE("an archive has its files as they were, whatever their sizes") {
  const std::map<std::string, std::string> files{{"about.txt", "about\n"},
                                                 {"empty.txt", ""},
                                                 {"block.txt", std::string(512, 'x')},
                                                 {"large.txt", std::string(100'000, 'y')}};
  std::vector<TarEntry> entries;
  for (const auto& [name, text] : files) entries.push_back({"top/" + name, text});
  const std::string archive = tar_text(entries, std::chrono::system_clock::now());
  CHECK(archive.size() % 512 == 0);
  Files read;
  TarReader reader(read, {});
  REQUIRE(reader.feed(archive));
  REQUIRE(reader.finish());
  CHECK(read.found == files);
}

TEST_CASE("a name of all the length that there is is kept") {
  const std::string name = "top/" + std::string(96, 'n');
  Files read;
  TarReader reader(read, {});
  REQUIRE(reader.feed(tar_text({{name, "x"}}, {})));
  REQUIRE(reader.finish());
  CHECK(read.found.begin()->first == std::string(96, 'n'));
}
