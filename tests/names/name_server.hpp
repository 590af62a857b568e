#pragma once

#include "protocol/vocabulary/unique_fd.hpp"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <string>
#include <thread>
#include <vector>

namespace satellite::tests {

/// How a name server behaves.
enum class NameServerHabit { good, silent, slow, refuses_edns };

/// A name server on port 53 of one address, UDP and TCP, for as long as it lives. It has the zone
/// example.test and core.other.test, described in name_server.cpp.
class NameServer {
 public:
  static constexpr std::chrono::milliseconds slowness{300};

  NameServer(const std::string& address, NameServerHabit habit);
  ~NameServer();
  NameServer(const NameServer&) = delete;
  NameServer& operator=(const NameServer&) = delete;

  int questions_by_udp() const { return by_udp_; }
  int questions_by_tcp() const { return by_tcp_; }

 private:
  void serve();
  void serve_datagram();
  void serve_connection();
  std::string answer(const std::string& question, bool by_tcp);

  NameServerHabit habit_;
  UniqueFd datagrams_, connections_, stop_;
  std::atomic<int> by_udp_{0}, by_tcp_{0};
  std::thread thread_;
};

}  // namespace satellite::tests
