#include "tests/benchmarks/measuring_process.hpp"

#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdlib>
#include <memory>
#include <sstream>
#include <stdexcept>

namespace satellite::benchmarks {
namespace {

constexpr std::size_t message_size_max = 1U << 20U;

[[noreturn]] void serve(int socket, MeasuringProcess::Begin begin) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  {
    const std::unique_ptr<MeasuringProcess::Measurement> measurement(begin());
    if (!measurement) std::_Exit(1);
    std::string buffer(message_size_max, '\0');
    while (true) {
      const ssize_t got = ::recv(socket, buffer.data(), buffer.size(), 0);
      if (got <= 0) break;
      const std::string answer =
          measurement->answer(buffer.substr(0, static_cast<std::size_t>(got)));
      ::send(socket, answer.data(), answer.size(), 0);
    }
  }
  std::_Exit(0);
}

}  // namespace

MeasuringProcess::MeasuringProcess(Begin begin) {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0) {
    throw std::runtime_error("socketpair failed");
  }
  for (const int end : ends) {
    const int size = message_size_max;
    ::setsockopt(end, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
  }
  pid_ = ::fork();
  if (pid_ == 0) {
    ::close(ends[0]);
    serve(ends[1], begin);
  }
  ::close(ends[1]);
  socket_ = ends[0];
}

MeasuringProcess::~MeasuringProcess() {
  ::close(socket_);
  ::waitpid(pid_, nullptr, 0);
}

Timing MeasuringProcess::ask(const std::string& order) {
  ::send(socket_, order.data(), order.size(), 0);
  std::string buffer(message_size_max, '\0');
  const ssize_t got = ::recv(socket_, buffer.data(), buffer.size(), 0);
  if (got <= 0) throw std::runtime_error("a measuring process could not do: " + order);
  buffer.resize(static_cast<std::size_t>(got));
  const auto end = buffer.find('|');
  std::istringstream answer(buffer.substr(0, end));
  std::istringstream more(end == std::string::npos ? "" : buffer.substr(end + 1));
  Timing timing;
  for (double value = 0; answer >> value;) timing.latencies.push_back(value);
  for (double value = 0; more >> value;) timing.more.push_back(value);
  timing.seconds = timing.latencies.back();
  timing.latencies.pop_back();
  return timing;
}

}  // namespace satellite::benchmarks
