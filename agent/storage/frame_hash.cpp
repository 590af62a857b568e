#include "agent/storage/frame_hash.hpp"

namespace satellite::agent {

std::uint64_t frame_hash(std::string_view frame) {
  std::uint64_t hash = 14'695'981'039'346'656'037U;
  for (const char byte : frame) {
    hash ^= static_cast<unsigned char>(byte);
    hash *= 1'099'511'628'211U;
  }
  return hash;
}

}  // namespace satellite::agent
