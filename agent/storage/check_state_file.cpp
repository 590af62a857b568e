#include "agent/storage/check_state_file.hpp"

#include "tls/digest.hpp"

#include <cstdint>

namespace satellite::agent {
namespace {

constexpr std::string_view state_magic("CSTF\x01\x00\x00\x00", 8);
constexpr std::size_t magic_word_size = 4;  // what follows is the version
constexpr std::size_t digest_size = 64;

std::string size_text(std::size_t size) {
  std::string bytes;
  for (unsigned shift = 0; shift < 32; shift += 8) {
    bytes += static_cast<char>(size >> shift & 0xFFU);
  }
  return bytes;
}

/// With the length of each part before it: no two keys have one text.
std::string key_text(const StateKey& key) {
  return size_text(key.check.size()) + key.check + size_text(key.collector.size()) + key.collector;
}

/// Takes a part with its length off the beginning. False = it is not there.
bool take_part(std::string_view& rest, std::string& part) {
  if (rest.size() < 4) return false;
  std::size_t size = 0;
  for (std::size_t i = 4; i-- > 0;) size = size << 8U | static_cast<unsigned char>(rest[i]);
  rest.remove_prefix(4);
  if (size > rest.size() || size > state_key_size_max) return false;
  part = rest.substr(0, size);
  rest.remove_prefix(size);
  return true;
}

Error no_state_file(const char* why) {
  return Error{ErrorCode::invalid_input, std::string("not a state of this check: ") + why};
}

}  // namespace

std::string state_file_name(const StateKey& key) {
  return tls::sha256_of(key_text(key));
}

std::string encode_check_state(const StateKey& key, std::string_view packed) {
  return std::string(state_magic) + key_text(key) + tls::sha256_of(packed) + std::string(packed);
}

bool is_of_another_version(std::string_view beginning) {
  return beginning.size() >= state_magic.size() && !beginning.starts_with(state_magic) &&
         beginning.starts_with(state_magic.substr(0, magic_word_size));
}

Result<StateKey> read_state_key(std::string_view beginning) {
  if (!beginning.starts_with(state_magic)) return no_state_file("foreign bytes");
  beginning.remove_prefix(state_magic.size());
  StateKey key;
  const bool is_whole = take_part(beginning, key.check) && take_part(beginning, key.collector);
  if (!is_whole) return no_state_file("it is torn");
  return key;
}

Result<std::string_view> decode_check_state(std::string_view file, const StateKey& key) {
  const auto found = read_state_key(file);
  if (!found) return found.error();
  if (*found != key) return no_state_file("it belongs to another one");
  file.remove_prefix(state_magic.size() + key_text(key).size());
  if (file.size() < digest_size) return no_state_file("it is torn");
  const auto digest = file.substr(0, digest_size);
  file.remove_prefix(digest_size);
  if (tls::sha256_of(file) != digest) return no_state_file("it is damaged");
  return file;
}

}  // namespace satellite::agent
