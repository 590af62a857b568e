#pragma once

#include <string>
#include <string_view>

namespace satellite {

/// Bytes that are wiped when they go and that no log, error or stream can print by accident.
///
/// Shape: move-only; `reveal()` is the only way to the bytes, so every use can be found by name.
class Secret {
 public:
  Secret() = default;
  explicit Secret(std::string value);
  Secret(Secret&& other) noexcept;
  Secret& operator=(Secret&& other) noexcept;
  Secret(const Secret&) = delete;
  Secret& operator=(const Secret&) = delete;
  ~Secret();

  std::string_view reveal() const { return bytes_; }
  bool empty() const { return bytes_.empty(); }

  /// A second owner, made on purpose.
  Secret duplicate() const;

 private:
  std::string bytes_;
};

/// Overwrites the whole buffer of `bytes` and empties it; survives optimisation.
void wipe(std::string& bytes);

}  // namespace satellite
