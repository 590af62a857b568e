#include "agent/packages/placement/placement.hpp"

#include "agent/packages/placement/version_range.hpp"
#include "protocol/vocabulary/printable.hpp"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <utility>

namespace satellite::agent {
namespace {

// 12 real closures of 2,331 packages ask 8,000 times whether a range accepts a version.
constexpr std::uint64_t questions_max = 20'000'000;
constexpr std::size_t warnings_max = 64;

struct Candidate {
  std::size_t index = 0;
  SemanticVersion version;
  std::uint64_t accepted_by = 0;
};

class Placing {
 public:
  explicit Placing(const std::vector<PlacedPackage>& packages) : packages_(packages) {
    for (std::size_t i = 0; i < packages.size(); ++i) {
      // What npm itself would not order is there, and the last to be chosen.
      auto version = parse_version(packages[i].version).value_or(SemanticVersion{});
      by_name_[packages[i].name].push_back({i, std::move(version), 0});
    }
    for (auto& [name, candidates] : by_name_) {
      std::sort(candidates.begin(), candidates.end(),
                [&](const Candidate& a, const Candidate& b) { return is_higher(a, b); });
    }
  }

  Result<PackagePlacement> place() {
    if (!count_acceptances()) {
      return Error{ErrorCode::limit_exceeded,
                   "the script packages ask for too many versions of each other"};
    }
    PackagePlacement placement;
    for (const auto& [name, candidates] : by_name_) placement.top[name] = top_of(candidates);
    placement.links.resize(packages_.size());
    for (std::size_t i = 0; i < packages_.size(); ++i) link(i, placement);
    return placement;
  }

 private:
  bool is_higher(const Candidate& a, const Candidate& b) const {
    const int order = compare(a.version, b.version);
    return order != 0 ? order > 0 : packages_[a.index].version > packages_[b.index].version;
  }

  std::vector<Candidate>* candidates_for(const PackageNeed& need) {
    const auto found = by_name_.find(need.name);
    return found == by_name_.end() ? nullptr : &found->second;
  }

  /// Nothing where the need is no range: an address or a tag, which any version may be meant by.
  const std::optional<VersionRange>& range_of(const std::string& text) {
    const auto known = ranges_.find(text);
    if (known != ranges_.end()) return known->second;
    return ranges_.emplace(text, VersionRange::parse(text)).first->second;
  }

  bool count_acceptances() {
    std::uint64_t questions = 0;
    for (const PlacedPackage& package : packages_) {
      for (const PackageNeed& need : package.needs) {
        auto* const candidates = candidates_for(need);
        if (candidates == nullptr) continue;
        questions += candidates->size();
        if (questions > questions_max) return false;
        const auto& range = range_of(need.range);
        if (!range) {
          ++candidates->front().accepted_by;
          continue;
        }
        for (Candidate& candidate : *candidates) {
          if (range->accepts(candidate.version)) ++candidate.accepted_by;
        }
      }
    }
    return true;
  }

  static std::size_t top_of(const std::vector<Candidate>& candidates) {
    const auto asked_for =
        std::find_if(candidates.begin(), candidates.end(),
                     [](const Candidate& candidate) { return candidate.accepted_by == 0; });
    if (asked_for != candidates.end()) return asked_for->index;
    return std::max_element(
               candidates.begin(), candidates.end(),
               [](const Candidate& a, const Candidate& b) { return a.accepted_by < b.accepted_by; })
        ->index;
  }

  /// The version of `candidates` that meets the need.
  std::optional<std::size_t> choose(const PackageNeed& need,
                                    const std::vector<Candidate>& candidates, std::size_t top) {
    const auto& range = range_of(need.range);
    if (!range) return candidates.front().index;
    std::optional<std::size_t> highest;
    for (const Candidate& candidate : candidates) {
      if (!range->accepts(candidate.version)) continue;
      if (!highest) highest = candidate.index;
      const bool asks_for_top =
          need.kind == PackageNeed::Kind::peer || need.kind == PackageNeed::Kind::optional_peer;
      if (!asks_for_top) break;
      if (candidate.index == top) return top;
    }
    return highest;
  }

  void link(std::size_t index, PackagePlacement& placement) {
    const PlacedPackage& package = packages_[index];
    for (const PackageNeed& need : package.needs) {
      if (need.alias == package.name) continue;  // it finds itself where it lies
      const auto* const candidates = candidates_for(need);
      std::optional<std::size_t> target;
      if (candidates != nullptr) target = choose(need, *candidates, placement.top.at(need.name));
      if (!target && need.kind == PackageNeed::Kind::required) {
        if (placement.warnings.size() < warnings_max) {
          placement.warnings.push_back(package.name + '@' + package.version + " needs " +
                                       need.name + '@' + printable(need.range) +
                                       ": not in the package list");
        }
        if (candidates != nullptr) target = candidates->front().index;
      }
      if (target) placement.links[index].push_back({need.alias, *target});
    }
  }

  const std::vector<PlacedPackage>& packages_;
  std::map<std::string, std::vector<Candidate>> by_name_;  ///< the highest version first
  std::map<std::string, std::optional<VersionRange>> ranges_;
};

}  // namespace

Result<PackagePlacement> place_packages(const std::vector<PlacedPackage>& packages) {
  return Placing(packages).place();
}

}  // namespace satellite::agent
