#include "sandbox/capture/capped_output.hpp"

#include "protocol/vocabulary/limits.hpp"
#include "sandbox/capture/masker.hpp"
#include "sandbox/capture/utf8_chunks.hpp"

#include <fcntl.h>
#include <unistd.h>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cerrno>
#include <memory>

namespace satellite::sandbox {

namespace asio = boost::asio;

namespace {

constexpr std::size_t read_size = 64U << 10U;
// A script that floods its pipe must not keep timers and other runs from their turn.
constexpr int reads_per_turn = 16;
// For the same reason comparing output with the secrets is bounded: some milliseconds in one turn.
constexpr std::size_t masking_per_turn = 1U << 20U;

}  // namespace

struct CappedOutput::Stream {
  Stream(OutputStream which, asio::io_context& context, UniqueFd pipe,
         const SecretPatterns& secrets)
      : name(which),
        descriptor(context, pipe.release()),
        masker(secrets, masking_per_turn),
        chunks(limits::output_chunk_size_max) {}

  OutputStream name;
  asio::posix::stream_descriptor descriptor;
  Masker masker;
  Utf8Chunks chunks;
  std::unique_ptr<char[]> buffer = std::make_unique<char[]>(read_size);
};

CappedOutput::CappedOutput(asio::io_context& context, OutputBudget budget,
                           const SecretPatterns& secrets, RunObserver& observer)
    : context_(context),
      budget_(std::move(budget)),
      secrets_(secrets),
      observer_(observer),
      stop_(context, asio::steady_timer::time_point::max()) {}

asio::awaitable<void> CappedOutput::limit_reached() {
  if (must_stop()) co_return;
  constexpr auto token = asio::as_tuple(asio::use_awaitable);
  co_await stop_.async_wait(token);
}

void CappedOutput::no_more_writers() {
  writers_gone_ = true;
  for (auto* descriptor : reading_) {
    if (descriptor != nullptr) descriptor->cancel();
  }
}

asio::awaitable<void> CappedOutput::wait_readable(Stream& stream) {
  constexpr auto token = asio::as_tuple(asio::use_awaitable);
  co_await stream.descriptor.async_wait(asio::posix::descriptor_base::wait_read, token);
}

asio::awaitable<void> CappedOutput::read(OutputStream name, UniqueFd pipe) {
  // Reading ends with the pipe and never before: a cancelled caller still needs the rest.
  co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
  ::fcntl(pipe.get(), F_SETFL, O_NONBLOCK);
  Stream stream(name, context_, std::move(pipe), secrets_);
  auto& reading = reading_[name == OutputStream::standard_output ? 0 : 1];
  reading = &stream.descriptor;
  for (int reads = 1;; ++reads) {
    const ssize_t size = ::read(stream.descriptor.native_handle(), stream.buffer.get(), read_size);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0 && errno == EAGAIN && !writers_gone_) {
      co_await wait_readable(stream);
      continue;
    }
    if (size <= 0) break;
    const std::string_view bytes(stream.buffer.get(), static_cast<std::size_t>(size));
    ++delivering_;
    if (must_stop()) {
      budget_.count_dropped(ByteCount{bytes.size()});
    } else {
      const std::string_view masked = stream.masker.feed(bytes);
      co_await deliver(stream, masked);
    }
    while (stream.masker.paused()) {
      co_await begin_turn(stream);
      const std::string_view more = stream.masker.feed({});
      co_await deliver(stream, more);
    }
    if (reads % reads_per_turn == 0) {
      co_await begin_turn(stream);
    }
    --delivering_;
    quiet_since_ = std::chrono::steady_clock::now();
  }
  co_await finish(stream);
  reading = nullptr;
}

asio::awaitable<void> CappedOutput::begin_turn(Stream& stream) {
  co_await asio::post(context_, asio::use_awaitable);
  stream.masker.begin_turn();
}

asio::awaitable<void> CappedOutput::deliver(Stream& stream, std::string_view masked) {
  stream.chunks.add(budget_.admit(stream.name, masked));
  if (budget_.closed()) stop_.cancel();
  co_await hand_out(stream);
}

asio::awaitable<void> CappedOutput::hand_out(Stream& stream) {
  for (auto chunk = stream.chunks.next(); chunk; chunk = stream.chunks.next()) {
    if (failure_) {
      budget_.take_back(stream.name, ByteCount{chunk->bytes.size()});
      continue;
    }
    try {
      co_await observer_.output(stream.name, chunk->bytes);
    } catch (...) {
      failure_ = std::current_exception();
      stop_.cancel();
    }
  }
}

asio::awaitable<void> CappedOutput::finish(Stream& stream) {
  const std::string_view rest = stream.masker.finish();
  co_await deliver(stream, rest);
  while (stream.masker.paused()) {
    co_await begin_turn(stream);
    const std::string_view more = stream.masker.finish();
    co_await deliver(stream, more);
  }
  const auto tail = budget_.closed() ? Utf8Chunks::Tail::discard : Utf8Chunks::Tail::keep;
  budget_.take_back(stream.name, stream.chunks.finish(tail));
  co_await hand_out(stream);
}

}  // namespace satellite::sandbox
