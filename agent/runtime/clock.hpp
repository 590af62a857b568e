#pragma once

#include <chrono>

namespace satellite::agent {

/// Time as an argument, so that decisions about it can be tested without waiting.
///
/// Shape: `steady` for every wait and age; `system` only for what people and the wire see, since
///        an operator or NTP may set it back and forth.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual std::chrono::steady_clock::time_point steady() const = 0;
  virtual std::chrono::system_clock::time_point system() const = 0;
};

/// The host's clocks.
class HostClock final : public Clock {
 public:
  std::chrono::steady_clock::time_point steady() const override {
    return std::chrono::steady_clock::now();
  }
  std::chrono::system_clock::time_point system() const override {
    return std::chrono::system_clock::now();
  }
};

/// A clock that moves only when told to.
class ManualClock final : public Clock {
 public:
  std::chrono::steady_clock::time_point steady() const override { return steady_; }
  std::chrono::system_clock::time_point system() const override { return system_; }

  /// Both clocks move on together.
  void advance(std::chrono::milliseconds duration) {
    steady_ += duration;
    system_ += duration;
  }
  /// Somebody sets the wall clock; waits must not notice.
  void set_system(std::chrono::system_clock::time_point now) { system_ = now; }

 private:
  std::chrono::steady_clock::time_point steady_{};
  std::chrono::system_clock::time_point system_{};
};

}  // namespace satellite::agent
