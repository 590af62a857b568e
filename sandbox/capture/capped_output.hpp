#pragma once

#include "protocol/vocabulary/unique_fd.hpp"
#include "sandbox/capture/output_budget.hpp"
#include "sandbox/capture/run_observer.hpp"
#include "sandbox/capture/secret_patterns.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <exception>
#include <optional>

namespace satellite::sandbox {

/// Reads both output streams of a run, masks, caps and hands them to the observer in chunks.
///
/// Shape:  read() once per stream, side by side; it returns at the end of the stream. While the
///         observer waits, its pipe is not read. At the cap limit_reached() returns; from then on
///         the pipes are only drained and counted.
/// Errors: a stream that breaks ends there. An observer that throws is not called again; the
///         exception is kept for the caller, and limit_reached() returns so that the run ends.
class CappedOutput {
 public:
  CappedOutput(boost::asio::io_context& context, OutputBudget budget, const SecretPatterns& secrets,
               RunObserver& observer);

  boost::asio::awaitable<void> read(OutputStream stream, UniqueFd pipe);

  boost::asio::awaitable<void> limit_reached();
  bool must_stop() const { return budget_.closed() || failure_; }
  /// To be called when every process of the run is dead: reading then ends with what is in the
  /// pipes, even where a process that is not the run's holds them open.
  void no_more_writers();

  /// Since when nothing came, where nothing that came still waits for the observer; nothing while
  /// something does, since the pipes are not read then.
  std::optional<std::chrono::steady_clock::time_point> quiet_since() const {
    if (delivering_ > 0) return std::nullopt;
    return quiet_since_;
  }

  const OutputBudget& budget() const { return budget_; }
  std::exception_ptr failure() const { return failure_; }

 private:
  struct Stream;
  boost::asio::awaitable<void> begin_turn(Stream& stream);
  boost::asio::awaitable<void> deliver(Stream& stream, std::string_view masked);
  boost::asio::awaitable<void> hand_out(Stream& stream);
  boost::asio::awaitable<void> finish(Stream& stream);
  boost::asio::awaitable<void> wait_readable(Stream& stream);

  boost::asio::io_context& context_;
  OutputBudget budget_;
  const SecretPatterns& secrets_;
  RunObserver& observer_;
  boost::asio::steady_timer stop_;
  boost::asio::posix::stream_descriptor* reading_[2] = {nullptr, nullptr};
  bool writers_gone_ = false;
  int delivering_ = 0;  ///< streams whose last read is not handed on yet
  std::chrono::steady_clock::time_point quiet_since_ = std::chrono::steady_clock::now();
  std::exception_ptr failure_;
};

}  // namespace satellite::sandbox
