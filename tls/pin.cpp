#include "tls/pin.hpp"

#include <openssl/evp.h>
#include <algorithm>

namespace satellite::tls {
namespace {

constexpr std::string_view pin_prefix = "sha256/";
constexpr std::size_t pin_base64_size = 44;  // of 32 bytes, one letter of padding

}  // namespace

std::string text_of(const Pin& pin) {
  std::array<unsigned char, pin_base64_size + 1> base64{};
  EVP_EncodeBlock(base64.data(), pin.data(), static_cast<int>(pin.size()));
  return std::string(pin_prefix) + std::string(base64.begin(), base64.end() - 1);
}

Result<Pin> parse_pin(std::string_view text) {
  const Error wrong{ErrorCode::invalid_input,
                    "a pin is sha256/ and the 44 letters of base64 of a public key's SHA-256"};
  if (!text.starts_with(pin_prefix)) return wrong;
  text.remove_prefix(pin_prefix.size());
  if (text.starts_with('/') && text.size() == pin_base64_size + 1) text.remove_prefix(1);
  if (text.size() != pin_base64_size) return wrong;
  // Three bytes for four letters, the padding included.
  std::array<unsigned char, pin_base64_size / 4 * 3> bytes{};
  const auto* letters = reinterpret_cast<const unsigned char*>(text.data());
  if (EVP_DecodeBlock(bytes.data(), letters, static_cast<int>(text.size())) < 0) return wrong;
  Pin pin{};
  std::copy_n(bytes.begin(), pin.size(), pin.begin());
  // Blanks, and bits that no byte has, would be a second text for the same pin.
  if (text_of(pin) != std::string(pin_prefix) + std::string(text)) return wrong;
  return pin;
}

}  // namespace satellite::tls
