#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

namespace satellite::tests {

/// What happens to the bytes of one direction. Places count the bytes of a connection in that
/// direction from its beginning; those that have passed already count as reached.
struct LinkFault {
  std::chrono::milliseconds delay{0};         ///< before each piece goes on
  std::size_t bytes_per_tick = 0;             ///< of 10 ms; 0 = as they come
  std::optional<std::uint64_t> reset_at{};    ///< both sides are reset
  std::optional<std::uint64_t> close_at{};    ///< both sides are closed
  std::optional<std::uint64_t> finish_at{};   ///< this direction alone ends: a half-close
  std::optional<std::uint64_t> swallow_at{};  ///< what comes from here on is gone: a black hole
  std::optional<std::uint64_t> stall_at{};    ///< nothing is read any more: the window closes
  std::optional<std::uint64_t> flip_at{};     ///< one bit of this byte
  /// A piece above this size is lost, and all after it, as where large packets find no way.
  std::size_t piece_max = 0;
};

enum class Direction { to_core, to_satellite };

/// A network between a satellite and its core, on loopback, on a thread of its own.
///
/// Shape:  one connection to the core for each that it takes. Faults hold for the connections that
///         are there and for later ones, until they are changed. May be called from any thread.
class FaultProxy {
 public:
  explicit FaultProxy(const std::string& address = "127.0.0.1", std::uint16_t port = 0);
  ~FaultProxy();
  FaultProxy(const FaultProxy&) = delete;
  FaultProxy& operator=(const FaultProxy&) = delete;

  std::uint16_t port() const;
  /// Until this is said, connections wait.
  void forward_to(std::uint16_t port);
  void set(Direction direction, LinkFault fault);
  void heal() {
    set(Direction::to_core, {});
    set(Direction::to_satellite, {});
  }
  /// Connections taken so far, and bytes that went on.
  std::uint64_t connections() const;
  std::uint64_t bytes(Direction direction) const;

 private:
  class Relay;
  std::unique_ptr<Relay> relay_;
};

}  // namespace satellite::tests
