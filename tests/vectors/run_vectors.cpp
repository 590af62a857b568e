#include "vectors/conformance_case.hpp"
#include "vectors/message_vectors.hpp"

#include <algorithm>
#include <cctype>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>
#include <sstream>

// run_vectors DIR [--all] [--differences FILE]: our functions against the recorded behaviour of the
// existing satellite. Exit code 0 when every wired case passes or differs on purpose; --all also
// wants every file wired.

namespace satellite::vectors {
namespace {

namespace fs = std::filesystem;

struct Listed {
  std::string function, predicate;
  std::vector<long> ids;
};

struct Options {
  fs::path directory;
  fs::path differences = SATELLITE_VECTOR_DIFFERENCES;
  bool all = false;
};

struct Tally {
  std::size_t passed = 0, differing = 0;
  std::vector<std::string> failed;
};

/// The text with each unpaired surrogate escape replaced by U+FFFD: such a string is no UTF-8,
/// takes three bytes like its replacement, and JSON libraries refuse it.
std::string without_lone_surrogates(const std::string& text) {
  const auto unit_at = [&text](std::size_t at) -> long {
    if (at + 6 > text.size() || text[at] != '\\' || text[at + 1] != 'u') return -1;
    return std::stol(text.substr(at + 2, 4), nullptr, 16);
  };
  std::string clean;
  for (std::size_t i = 0; i < text.size();) {
    const long unit = text[i] == '\\' ? unit_at(i) : -1;
    if (text[i] != '\\') {
      clean += text[i++];
    } else if (unit < 0) {
      clean += text.substr(i, 2);  // another escape; its second character may be a backslash
      i += 2;
    } else if (unit >= 0xD800 && unit <= 0xDBFF && unit_at(i + 6) >= 0xDC00 &&
               unit_at(i + 6) <= 0xDFFF) {
      clean += text.substr(i, 12);
      i += 12;
    } else {
      clean += unit >= 0xD800 && unit <= 0xDFFF ? std::string("\\ufffd") : text.substr(i, 6);
      i += 6;
    }
  }
  return clean;
}

std::string text_of(const fs::path& path) {
  std::ifstream stream(path);
  std::ostringstream text;
  text << stream.rdbuf();
  return without_lone_surrogates(text.str());
}

json load(const fs::path& path) {
  return json::parse(text_of(path));
}

/// Every case also carries its input as text (`inText`), and the file its environment, because some
/// answers depend on the order of an object's keys, which json does not keep.
json load_vectors(const fs::path& path) {
  json file = load(path);
  const auto ordered = nlohmann::ordered_json::parse(text_of(path));
  for (std::size_t i = 0; i < file.at("cases").size(); ++i) {
    const auto& test_case = ordered.at("cases")[i];
    if (test_case.contains("in")) file["cases"][i]["inText"] = test_case.at("in").dump();
    if (test_case.contains("script")) file["cases"][i]["caseText"] = test_case.dump();
  }
  if (ordered.contains("environment")) file["environmentText"] = ordered["environment"].dump();
  return file;
}

std::vector<Listed> load_listed(const fs::path& path) {
  std::vector<Listed> listed;
  for (const auto& entry : load(path)) {
    listed.push_back(Listed{entry.at("function"), entry.value("predicate", ""),
                            entry.value("ids", std::vector<long>{})});
  }
  return listed;
}

template <typename T>
void append(std::vector<T>& all, std::vector<T> more) {
  all.insert(all.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
}

class Comparison {
 public:
  explicit Comparison(const std::vector<Listed>& listed) : listed_(listed) {
    append(conformance_cases_, policy_conformance_cases());
    append(conformance_cases_, plan_conformance_cases());
    append(conformance_cases_, capture_conformance_cases());
    append(conformance_cases_, check_conformance_cases());
    append(conformance_cases_, message_conformance_cases());
    append(conformance_cases_, module_conformance_cases());
    std::vector<Difference> known;
    append(known, plan_differences());
    append(known, environment_differences());
    append(known, egress_differences());
    append(known, network_differences());
    append(known, module_differences());
    for (auto& difference : known) {
      if (is_listed(difference)) differences_.push_back(std::move(difference));
    }
  }

  const ConformanceCase* conformance_case_of(const std::string& function) const {
    const auto found = std::find_if(
        conformance_cases_.begin(), conformance_cases_.end(),
        [&](const ConformanceCase& compared) { return compared.function == function; });
    return found == conformance_cases_.end() ? nullptr : &*found;
  }

  Tally compare(const ConformanceCase& compared, const json& file) const {
    Tally tally;
    for (const auto& test_case : file.at("cases")) compare_case(compared, test_case, file, tally);
    return tally;
  }

 private:
  bool is_listed(const Difference& difference) const {
    return std::any_of(listed_.begin(), listed_.end(), [&](const Listed& entry) {
      return entry.function == difference.function && entry.predicate == difference.predicate;
    });
  }

  bool is_listed(const std::string& function, const json& id) const {
    return id.is_number_integer() &&
           std::any_of(listed_.begin(), listed_.end(), [&](const Listed& entry) {
             return entry.function == function && std::find(entry.ids.begin(), entry.ids.end(),
                                                            id.get<long>()) != entry.ids.end();
           });
  }

  /// Whether `ours` is what the differences that concern this case make of the recording.
  bool differs_on_purpose(const ConformanceCase& compared, const json& test_case, json recorded,
                          const json& ours) const {
    for (const auto& difference : differences_) {
      if (difference.function != compared.function) continue;
      if (auto adjusted = difference.adjust(test_case, recorded)) recorded = std::move(*adjusted);
      if (ours == recorded) return true;
    }
    return false;
  }

  void compare_case(const ConformanceCase& compared, const json& test_case, const json& file,
                    Tally& tally) const {
    const json& id = test_case.at("id");
    json ours;
    try {
      ours = compared.ours(test_case, file);
    } catch (const std::exception& problem) {
      ours = {{"threw", problem.what()}};
    }
    const json recorded = compared.recorded(test_case);
    if (ours == recorded) {
      ++tally.passed;
    } else if (is_listed(compared.function, id) ||
               differs_on_purpose(compared, test_case, recorded, ours)) {
      ++tally.differing;
    } else {
      tally.failed.push_back(id.dump());
      if (std::getenv("RUN_VECTORS_VERBOSE") != nullptr) {
        std::cerr << compared.function << " " << id << "\n  in:       " << test_case.dump()
                  << "\n  recorded: " << recorded << "\n  ours:     " << ours << "\n";
      }
    }
  }

  std::vector<Listed> listed_;
  std::vector<ConformanceCase> conformance_cases_;
  std::vector<Difference> differences_;
};

void print(const std::string& name, const Tally& tally) {
  std::cout << name << ": passed " << tally.passed << ", failed " << tally.failed.size()
            << ", differs on purpose " << tally.differing;
  if (!tally.failed.empty()) {
    std::cout << "; failing:";
    for (const auto& id : tally.failed) std::cout << " " << id;
  }
  std::cout << "\n";
}

int run(const Options& options) {
  const Comparison comparison(load_listed(options.differences));
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(options.directory)) {
    if (entry.path().extension() == ".json") files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  bool good = !files.empty();
  for (const auto& path : files) {
    const json file = load_vectors(path);
    const std::string name = file.value("function", path.stem().string());
    const ConformanceCase* compared = comparison.conformance_case_of(name);
    if (compared == nullptr) {
      std::cout << name << ": not yet wired\n";
      good = good && !options.all;
      continue;
    }
    const Tally tally = comparison.compare(*compared, file);
    print(name, tally);
    good = good && tally.failed.empty();
  }
  if (files.empty()) std::cerr << options.directory.string() << " holds no vector files\n";
  return good ? 0 : 1;
}

std::optional<Options> parse(int argument_count, char** arguments) {
  Options options;
  for (int i = 1; i < argument_count; ++i) {
    const std::string argument = arguments[i];
    if (argument == "--all") {
      options.all = true;
    } else if (argument == "--differences" && i + 1 < argument_count) {
      options.differences = arguments[++i];
    } else if (options.directory.empty() && !argument.starts_with("--")) {
      options.directory = argument;
    } else {
      return std::nullopt;
    }
  }
  if (options.directory.empty()) return std::nullopt;
  return options;
}

}  // namespace
}  // namespace satellite::vectors

int main(int argument_count, char** arguments) {
  using namespace satellite::vectors;
  const auto options = parse(argument_count, arguments);
  if (!options) {
    std::cerr << "usage: run_vectors DIR [--all] [--differences FILE]\n";
    return 2;
  }
  try {
    return run(*options);
  } catch (const std::exception& problem) {
    std::cerr << "run_vectors: " << problem.what() << "\n";
    return 2;
  }
}
