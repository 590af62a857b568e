#include "sandbox/running/answer_pipe.hpp"

#include <fcntl.h>
#include <unistd.h>
#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cerrno>

namespace satellite::sandbox {

namespace asio = boost::asio;

namespace {

constexpr int answer_reads_per_turn = 16;

}  // namespace

AnswerPipe::AnswerPipe(asio::io_context& context)
    : context_(context), changed_(context, asio::steady_timer::time_point::max()) {}

asio::awaitable<void> AnswerPipe::changed() {
  constexpr auto token = asio::as_tuple(asio::use_awaitable);
  co_await changed_.async_wait(token);
}

void AnswerPipe::no_more_writers() {
  writers_gone_ = true;
  if (reading_ != nullptr) reading_->cancel();
}

void AnswerPipe::feed(std::string_view bytes) {
  const bool was_loaded = line_.is_loaded();
  line_.feed(bytes);
  if (line_.has_answer() && !answered_at_) answered_at_ = Clock::now();
  if (answered_at_ || was_loaded != line_.is_loaded()) changed_.cancel();
}

asio::awaitable<void> AnswerPipe::read(UniqueFd pipe) {
  if (!pipe) co_return;
  co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
  ::fcntl(pipe.get(), F_SETFL, O_NONBLOCK);
  asio::posix::stream_descriptor descriptor(context_, pipe.release());
  reading_ = &descriptor;
  std::array<char, 32U << 10U> buffer;
  constexpr auto token = asio::as_tuple(asio::use_awaitable);
  for (int reads = 1;; ++reads) {
    const ssize_t size = ::read(descriptor.native_handle(), buffer.data(), buffer.size());
    if (size < 0 && errno == EINTR) continue;
    if (size < 0 && errno == EAGAIN && !writers_gone_) {
      co_await descriptor.async_wait(asio::posix::descriptor_base::wait_read, token);
      continue;
    }
    if (size <= 0) break;
    feed({buffer.data(), static_cast<std::size_t>(size)});
    if (reads % answer_reads_per_turn == 0) {
      co_await asio::post(context_, asio::use_awaitable);
    }
  }
  line_.finish();
  reading_ = nullptr;
}

}  // namespace satellite::sandbox
