#pragma once

#include "protocol/vocabulary/unique_fd.hpp"

#include <array>
#include <cstddef>
#include <optional>

namespace satellite::sandbox {

/// Two connections, of which each gets what the other sends, without a copy in between.
///
/// Shape:  everything is non-blocking; carry() does what is possible now. What one side does not
///         read stays in a pipe of 64 KiB and then with the sender. The end of one direction is
///         passed on as such (half-close); an error resets both.
class CarriedConnection {
 public:
  enum class State { going_on, over };

  /// `outer` may still be connecting. Nothing where no pipes are to be had.
  static std::optional<CarriedConnection> make(UniqueFd inner, UniqueFd outer);

  State carry();
  /// Both peers see a reset instead of an end.
  void reset() const;
  int inner() const { return ends_[0].socket.get(); }
  int outer() const { return ends_[1].socket.get(); }

 private:
  struct End {
    UniqueFd socket;
    UniqueFd pipe_out, pipe_in;  ///< holds what came from this socket
    std::size_t held = 0;
    bool has_ended = false, is_shut = false;
  };

  /// From one end to the other; false = broken.
  static bool move(End& from, End& to);
  bool is_connected();

  std::array<End, 2> ends_;
  bool connected_ = false;
};

}  // namespace satellite::sandbox
