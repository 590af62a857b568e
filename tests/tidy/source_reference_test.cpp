// Comments and documents point at files and sections. A pointer that leads nowhere is worse than
// none: a reader looks for what is not there, and believes that somebody knew.
#include "tests/tidy/source_tree.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <optional>
#include <regex>

using namespace satellite::tests;

namespace {

/// A comment, or a paragraph of a document, in one line.
struct Paragraph {
  std::string path;
  std::size_t line = 0;
  std::string text;
};

/// What stands behind `//`, `///` or `///<`; nothing where there is no comment.
std::optional<std::string> comment_in(const std::string& line) {
  static const std::regex comment("(^|[^:\"])//+<? ?(.*)$");
  std::smatch match;
  if (!std::regex_search(line, match, comment)) return std::nullopt;
  return match[2].str();
}

/// Comments that follow each other, line by line, are one.
std::vector<Paragraph> comments_of(const SourceFile& file) {
  std::vector<Paragraph> found;
  bool goes_on = false;
  for (std::size_t i = 0; i < file.lines.size(); ++i) {
    const auto text = comment_in(file.lines[i]);
    const bool is_alone =
        text && without_comment(file.lines[i]).find_first_not_of(' ') == std::string::npos;
    if (text && goes_on && is_alone) {
      found.back().text += " " + *text;
    } else if (text) {
      found.push_back({file.path, i + 1, *text});
    }
    goes_on = text.has_value();
  }
  return found;
}

/// Documents are read without what stands between fences.
std::vector<Paragraph> paragraphs_of(const SourceFile& document) {
  std::vector<Paragraph> found;
  bool is_fenced = false;
  for (std::size_t i = 0; i < document.lines.size(); ++i) {
    const std::string& line = document.lines[i];
    if (line.starts_with("```")) is_fenced = !is_fenced;
    if (!is_fenced) found.push_back({document.path, i + 1, line});
  }
  return found;
}

std::vector<std::string> all_of(const std::string& text, const std::regex& pattern,
                                std::size_t group = 0) {
  std::vector<std::string> found;
  for (std::sregex_iterator at(text.begin(), text.end(), pattern), end; at != end; ++at) {
    found.push_back(at->str(group));
  }
  return found;
}

/// The path in the tree that `name` means in a file of `folder`: from the root, or from that folder
/// or one above it; with an ending of ours if it has none. Empty = there is none.
std::string resolved(const std::string& name, const std::string& folder) {
  for (std::string from = folder;; from = folder_of(from)) {
    for (const char* end : {"", ".hpp", ".cpp"}) {
      const std::string path = joined(from, name + end);
      if (tree_paths().contains(path)) return path;
    }
    if (from.empty()) return {};
  }
}

/// A bare name may lie anywhere.
bool is_a_name_in_the_tree(const std::string& name) {
  return std::any_of(tree_paths().begin(), tree_paths().end(), [&name](const std::string& path) {
    return path == name || path.ends_with("/" + name);
  });
}

const SourceFile* document_at(const std::string& path) {
  static const std::vector<SourceFile> documents = files_ending_in(".md");
  for (const SourceFile& document : documents) {
    if (document.path == path) return &document;
  }
  return nullptr;
}

/// `2.3` and `9-C8` as the head of a heading or of a row of a table; a name as a heading.
bool has_section(const SourceFile& document, const std::string& section) {
  return std::any_of(document.lines.begin(), document.lines.end(), [&](const std::string& line) {
    if (line.starts_with("| " + section + " |")) return true;
    if (!line.starts_with("#")) return false;
    const std::string heading = line.substr(line.find_first_not_of('#') + 1);
    return heading == section || heading.starts_with(section + " ") ||
           heading.starts_with(section + ". ");
  });
}

using Faults = std::vector<std::string>;

/// `core-contract 2.3, 9-A1 to 9-A3`, `dispatch-extension "Cap", "Resume"`, `agent/README.md
/// "Start"`.
void check_sections(const Paragraph& paragraph, Faults& faults) {
  static const std::regex pointer(
      "(core-contract|dispatch-extension|reference-satellite|[a-z_/]*[A-Z]+\\.md)(?:\\.md)?"
      "((?:(?:,| and| to)? (?:[0-9]+-[A-D][0-9]+|[0-9]+(?:\\.[0-9]+)?)(?![0-9a-zA-Z]))+"
      "|(?:(?:,| and)? \"[^\"]+\")+)");
  static const std::regex number("[0-9]+-[A-D][0-9]+|[0-9]+(?:\\.[0-9]+)?");
  static const std::regex name("\"([^\"]+)\"");
  for (std::sregex_iterator at(paragraph.text.begin(), paragraph.text.end(), pointer), end;
       at != end; ++at) {
    const std::string target = (*at)[1], sections = (*at)[2];
    const bool is_document = target.ends_with(".md");
    const std::string path = is_document ? resolved(target, folder_of(paragraph.path))
                                         : "protocol/spec/" + target + ".md";
    const SourceFile* const document = document_at(path);
    if (document == nullptr) {
      faults.push_back("no document " + target);
      continue;
    }
    const bool is_named = sections.find('"') != std::string::npos;
    for (const auto& section : all_of(sections, is_named ? name : number, is_named ? 1 : 0)) {
      if (!has_section(*document, section)) faults.push_back(path + " has no section " + section);
    }
  }
}

/// Names of files, and paths whose first part is a folder of ours.
void check_files(const Paragraph& paragraph, Faults& faults) {
  static const std::regex file(
      "(^|[ (`\"])([a-zA-Z0-9_][a-zA-Z0-9_./-]*\\.(?:md|[hc]pp))(?![a-z])");
  static const std::regex room("(^|[ (`])([a-z_]+(?:/[a-z0-9_]+)+)(?![a-zA-Z0-9_/*<-]|\\.[a-z])");
  const std::string folder = folder_of(paragraph.path);
  for (const auto& name : all_of(paragraph.text, file, 2)) {
    const bool is_bare = name.find('/') == std::string::npos;
    if (!resolved(name, folder).empty() || (is_bare && is_a_name_in_the_tree(name))) continue;
    faults.push_back("no file " + name);
  }
  for (const auto& name : all_of(paragraph.text, room, 2)) {
    const std::string first = name.substr(0, name.find('/'));
    if (resolved(first, folder).empty() || !resolved(name, folder).empty()) continue;
    faults.push_back("no file or folder " + name);
  }
}

/// A `Source:` names something that a reader can open.
void check_source(const Paragraph& paragraph, Faults& faults) {
  static const std::regex source("Sources?: (.*?)(?= [A-Z][a-z]+:  ?|$)");
  static const std::regex known(
      "[a-z0-9_.-]+\\([0-9]\\)|RFC "
      "[0-9]+|https?://|Documentation/|ECMA-262|WHATWG|TOML|POSIX|linux/"
      "|core-contract|dispatch-extension|reference-satellite|\\.md\\b|\\.[hc]pp\\b|[a-z]+/[a-z_]+");
  for (const auto& text : all_of(paragraph.text, source, 1)) {
    if (!std::regex_search(text, known))
      faults.push_back("a source that cannot be opened: " + text);
  }
}

Faults faults_of(const Paragraph& paragraph) {
  Faults faults;
  check_sections(paragraph, faults);
  check_files(paragraph, faults);
  check_source(paragraph, faults);
  return faults;
}

Faults faults_of_comment(const char* text) {
  return faults_of({"sandbox/planning/plan.hpp", 1, text});
}

}  // namespace

TEST_CASE("a pointer that leads nowhere is found") {
  CHECK(
      faults_of_comment("Source: core-contract 2.3, 9-A1 to 9-A3; reference-satellite 5.").empty());
  CHECK(faults_of_comment("Source: dispatch-extension \"Cap\", \"Resume\".").empty());
  CHECK(faults_of_comment("Source: setrlimit(2). See plan_builder.hpp and launcher/wire.").empty());
  CHECK(faults_of_comment("Source: core-contract 2.9.").size() == 1);
  CHECK(faults_of_comment("Source: core-contract 2.3, 9-A99.").size() == 1);
  CHECK(faults_of_comment("Source: dispatch-extension \"Cap\", \"Hat\".").size() == 1);
  CHECK(faults_of_comment("Source: design/architecture.md.").size() == 1);
  CHECK(faults_of_comment("Source: agent/README.md \"No such heading\".").size() == 1);
  CHECK(faults_of_comment("Source: what everybody knows.").size() == 1);
  CHECK(faults_of_comment("Decided in sandbox/planning/no_such_file.").size() == 1);
  CHECK(faults_of_comment("How it ends is in no_such_file.cpp.").size() == 1);
}

TEST_CASE("what comments point at is in the tree") {
  for (const SourceFile& file : source_files({"protocol", "sandbox", "tls", "agent", "tests"})) {
    if (file.path == "tests/tidy/source_reference_test.cpp") continue;
    for (const Paragraph& comment : comments_of(file)) {
      for (const std::string& fault : faults_of(comment)) {
        FAIL_CHECK(comment.path << ":" << comment.line << ": " << fault);
      }
    }
  }
}

TEST_CASE("what documents point at is in the tree") {
  for (const SourceFile& document : files_ending_in(".md")) {
    for (const Paragraph& paragraph : paragraphs_of(document)) {
      for (const std::string& fault : faults_of(paragraph)) {
        FAIL_CHECK(paragraph.path << ":" << paragraph.line << ": " << fault);
      }
    }
  }
}
