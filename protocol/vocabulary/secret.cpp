#include "protocol/vocabulary/secret.hpp"

#include <string.h>  // explicit_bzero is a glibc extension of this header

#include <utility>

namespace satellite {

void wipe(std::string& bytes) {
  // The small-string buffer and the spare capacity count too: both may hold old bytes.
  bytes.resize(bytes.capacity());
  ::explicit_bzero(bytes.data(), bytes.size());
  bytes.clear();
}

Secret::Secret(std::string value) : bytes_(value) {
  wipe(value);
}

Secret::Secret(Secret&& other) noexcept : bytes_(std::move(other.bytes_)) {
  wipe(other.bytes_);
}

Secret& Secret::operator=(Secret&& other) noexcept {
  if (this != &other) {
    wipe(bytes_);
    bytes_ = std::move(other.bytes_);
    wipe(other.bytes_);
  }
  return *this;
}

Secret::~Secret() {
  wipe(bytes_);
}

Secret Secret::duplicate() const {
  return Secret(bytes_);
}

}  // namespace satellite
