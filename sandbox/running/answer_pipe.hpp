#pragma once

#include "protocol/vocabulary/unique_fd.hpp"
#include "sandbox/module/module_answer.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <optional>

namespace satellite::sandbox {

/// The agent's end of the pipe that a module run answers on.
///
/// Shape:  read() beside the reading of the streams; it reads to the end of the pipe, also what
///         does not count any more, so that nobody blocks who writes too much. Of a run without
///         such a pipe there is nothing to read.
class AnswerPipe {
 public:
  using Clock = std::chrono::steady_clock;
  explicit AnswerPipe(boost::asio::io_context& context);

  boost::asio::awaitable<void> read(UniqueFd pipe);
  /// Somebody has read already that the bootstrap is loaded.
  void assume_loaded() { line_.feed("R"); }
  /// Returns when there is more to know: the bootstrap is loaded, or the answer is there.
  boost::asio::awaitable<void> changed();
  /// As CappedOutput::no_more_writers.
  void no_more_writers();

  bool is_loaded() const { return line_.is_loaded(); }
  /// When the answer came.
  std::optional<Clock::time_point> answered_at() const { return answered_at_; }
  std::optional<ModuleAnswer> take() { return line_.take(); }

 private:
  void feed(std::string_view bytes);

  boost::asio::io_context& context_;
  boost::asio::steady_timer changed_;
  boost::asio::posix::stream_descriptor* reading_ = nullptr;
  bool writers_gone_ = false;
  AnswerLine line_;
  std::optional<Clock::time_point> answered_at_;
};

}  // namespace satellite::sandbox
