#pragma once

namespace satellite::sandbox::bare {

/// Two connections, of which each gets what the other sends, without a copy in between.
///
/// Shape:  everything is non-blocking; forward() does what is possible now. What one side does not
///         read stays in a pipe of 64 KiB and then with the sender. The end of one direction is
///         passed on as such (half-close); an error resets both.
class ForwardedConnection {
 public:
  enum class State { free, going_on, over };

  /// Takes both sockets, of which `outer` may still be connecting. False where no pipes are to be
  /// had; they are closed then.
  bool begin(int inner, int outer);
  void forward();
  /// Both peers see a reset instead of an end.
  void reset();
  /// Closes everything; free again.
  void close();

  State state() const { return state_; }
  int inner() const { return ends_[0].socket; }
  int outer() const { return ends_[1].socket; }

 private:
  struct End {
    int socket = -1;
    int pipe_out = -1, pipe_in = -1;  ///< holds what came from this socket
    long held = 0;
    bool has_ended = false, is_shut = false;
  };

  /// From one end to the other; false = broken.
  static bool move(End& from, End& to);
  bool is_connected();

  End ends_[2];
  State state_ = State::free;
  bool connected_ = false;
};

}  // namespace satellite::sandbox::bare
