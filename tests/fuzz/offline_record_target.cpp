#include "agent/storage/offline_record.hpp"
#include "tests/fuzz/promises.hpp"
#include "tests/fuzz/targets.hpp"

#include <vector>

namespace satellite::fuzz {
namespace {

using namespace satellite::agent;

const Secret& fuzz_token() {
  static const Secret token("csat_fuzz");
  return token;
}

Result<OfflineRecord> unsealed(std::string_view file) {
  static const std::vector<std::string> core_urls{"wss://core.example/api/ws/satellite"};
  return SealedRecord::unseal(
      file, {fuzz_token(), core_urls, "satellite-1", 2'000, std::chrono::seconds(1'000)});
}

}  // namespace

Broken check_offline_record_target(std::string_view input) {
  const auto refused = unsealed(input);
  if (refused) return "a file that nobody sealed is taken for ours";
  if (const auto unfit = unless_fit_for_log(refused.error())) return unfit;

  const auto [texts, damage] = divided(input);
  const std::string policy(texts.substr(0, texts.size() / 2)), set(texts.substr(texts.size() / 2));
  const SealedRecord sealed(
      {"wss://core.example/api/ws/satellite", "satellite-1", policy, set, 1'500}, fuzz_token(),
      std::string(SealedRecord::salt_size, 's'));
  const std::string file = sealed.head() + sealed.texts();
  const auto read = unsealed(file);
  if (!read) return "our own file is refused: " + read.error().message;
  if (read->policy_json != policy || read->set_frame != set)
    return "our own file reads differently";

  // Pairs of bytes: where, and what is done there.
  std::string damaged = file;
  for (std::size_t i = 0; i + 1 < damage.size(); i += 2) {
    char& byte = damaged[static_cast<unsigned char>(damage[i]) * damaged.size() / 256];
    byte = static_cast<char>(byte ^ damage[i + 1]);
  }
  if (damage.size() % 2 == 1) damaged.resize(damaged.size() * damage.size() / 512);
  if (damaged != file && unsealed(damaged)) return "a damaged file is taken for ours";
  return std::nullopt;
}

}  // namespace satellite::fuzz
