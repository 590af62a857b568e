#include "agent/storage/check_state_file.hpp"
#include "sandbox/state/packed_state.hpp"
#include "tests/fuzz/promises.hpp"
#include "tests/fuzz/targets.hpp"

#include <set>

namespace satellite::fuzz {
namespace {

using namespace satellite::agent;
using namespace satellite::sandbox;

constexpr ByteCount fuzzed_size_max{256};

std::string packed_again(const std::vector<StateEntry>& entries) {
  std::string packed = packed_state_head();
  for (const auto& entry : entries) {
    packed += packed_entry_head(entry, entry.content.size());
    packed += entry.content;
  }
  return packed + packed_state_end();
}

/// Below the directory, in one that was there before, and once.
Broken unless_in_place(const std::vector<StateEntry>& entries) {
  std::set<std::string, std::less<>> directories{""}, paths;
  ByteCount size;
  for (const auto& entry : entries) {
    const auto slash = entry.path.rfind('/');
    const auto parent =
        slash == std::string_view::npos ? std::string_view() : entry.path.substr(0, slash);
    const auto name = entry.path.substr(slash == std::string_view::npos ? 0 : slash + 1);
    if (!is_state_name(name)) return "a name that is none is taken";
    if (!directories.contains(parent)) return "a path in no directory is taken";
    if (!paths.emplace(entry.path).second) return "a path is taken twice";
    if (entry.kind == StateEntry::Kind::directory) directories.emplace(entry.path);
    size += ByteCount{entry.content.size()};
  }
  if (size > fuzzed_size_max || entries.size() > state_entries_max) return "too much is taken";
  return std::nullopt;
}

}  // namespace

Broken check_packed_state_target(std::string_view input) {
  const auto entries = read_packed_state(input, fuzzed_size_max);
  if (!entries) return unless_fit_for_log(entries.error());
  if (auto wrong = unless_in_place(*entries)) return wrong;
  if (!input.empty() && packed_again(*entries) != input) return "a state has two spellings";
  return std::nullopt;
}

Broken check_check_state_target(std::string_view input) {
  const StateKey ours{"check", "collector"};
  const auto taken = decode_check_state(input, ours);
  if (taken && encode_check_state(ours, *taken) != input) return "a file has two spellings";
  if (!taken) {
    if (const auto unfit = unless_fit_for_log(taken.error())) return unfit;
  }
  if (const auto key = read_state_key(input)) {
    if (!encode_check_state(*key, "").starts_with(input.substr(0, 8))) return "a foreign key";
    if (*key != ours && taken) return "the file of another check is taken";
  }
  // Our own file, and what a disk may do to it.
  const auto [packed, damage] = divided(input);
  const std::string file = encode_check_state(ours, packed);
  const auto read = decode_check_state(file, ours);
  if (!read || *read != packed) return "our own file is not read as it was written";
  std::string damaged = file;
  for (std::size_t i = 0; i + 1 < damage.size(); i += 2) {
    char& byte = damaged[static_cast<unsigned char>(damage[i]) * damaged.size() / 256];
    byte = static_cast<char>(byte ^ damage[i + 1]);
  }
  if (damage.size() % 2 == 1) damaged.resize(damaged.size() * damage.size() / 512);
  if (damaged != file && decode_check_state(damaged, ours)) return "a damaged file is taken";
  return std::nullopt;
}

}  // namespace satellite::fuzz
