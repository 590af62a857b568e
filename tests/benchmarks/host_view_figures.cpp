#include "tests/benchmarks/host_view_figures.hpp"

#include "protocol/vocabulary/unique_fd.hpp"
#include "tests/benchmarks/sandbox_process.hpp"
#include "tests/support/loopback_port.hpp"

#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include <array>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>

namespace satellite::benchmarks {
namespace {

constexpr int view_rounds = 8;
constexpr int runs_per_view_round = 40;
constexpr int shown_disks = 8;
constexpr std::size_t sent_bytes = 64U << 20U;

/// Where the measuring process mounts what it shows; not in /tmp, of which a run has its own.
class DiskPlaces {
 public:
  DiskPlaces() {
    std::string name = "/var/tmp/satellite-bench-XXXXXX";
    if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("mkdtemp");
    path_ = name;
    ::chmod(path_.c_str(), 0755);
    for (int i = 0; i < shown_disks; ++i) {
      places_.push_back(path_ + "/" + std::to_string(i));
      std::filesystem::create_directory(places_.back());
    }
  }
  ~DiskPlaces() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  DiskPlaces(const DiskPlaces&) = delete;
  DiskPlaces& operator=(const DiskPlaces&) = delete;

  const std::vector<std::string>& places() const { return places_; }

 private:
  std::string path_;
  std::vector<std::string> places_;
};

/// A service on the host's loopback: one byte for a `p`, and much for an `f`.
class Service {
 public:
  Service() : thread_([this] { serve(); }) {}
  ~Service() {
    ::shutdown(port_.fd(), SHUT_RDWR);
    thread_.join();
  }
  Service(const Service&) = delete;
  Service& operator=(const Service&) = delete;

  std::uint16_t port() const { return port_.number(); }

 private:
  void serve() const {
    const std::string block(1U << 18U, 'x');
    for (;;) {
      const UniqueFd peer(::accept4(port_.fd(), nullptr, nullptr, SOCK_CLOEXEC));
      if (!peer) return;
      char asked = 0;
      if (::recv(peer.get(), &asked, 1, 0) != 1) continue;
      const std::size_t wanted = asked == 'f' ? sent_bytes : 1;
      for (std::size_t sent = 0; sent < wanted;) {
        const auto now =
            ::send(peer.get(), block.data(), std::min(block.size(), wanted - sent), MSG_NOSIGNAL);
        if (now <= 0) break;
        sent += static_cast<std::size_t>(now);
      }
    }
  }

  tests::LoopbackPort port_{64};
  std::thread thread_;
};

/// Prints the median of connecting and hearing a byte, in microseconds, and of five transfers, in
/// MB/s.
std::string client(std::uint16_t port) {
  return R"(python3 -c '
import socket, time
def ask(what):
  s = socket.create_connection(("127.0.0.1", )" +
         std::to_string(port) + R"())
  s.sendall(what)
  return s
waits, rates, room = [], [], bytearray(1 << 18)
for i in range(300):
  begun = time.perf_counter()
  s = ask(b"p")
  s.recv(1)
  waits.append(time.perf_counter() - begun)
  s.close()
for i in range(5):
  s, got, begun = ask(b"f"), 0, time.perf_counter()
  while True:
    now = s.recv_into(room)
    if now == 0: break
    got += now
  rates.append(got / (time.perf_counter() - begun) / 1e6)
print(sorted(waits)[150] * 1e6, sorted(rates)[2])
')";
}

struct Connection {
  double microseconds = 0, megabytes_per_second = 0;
};

Connection direct_connection(std::uint16_t port) {
  std::FILE* const pipe = ::popen(client(port).c_str(), "r");
  if (pipe == nullptr) throw std::runtime_error("popen");
  Connection seen;
  const int read = std::fscanf(pipe, "%lf %lf", &seen.microseconds, &seen.megabytes_per_second);
  ::pclose(pipe);
  if (read != 2) throw std::runtime_error("the direct client said nothing: it needs python3");
  return seen;
}

}  // namespace

std::vector<Figure> measure_host_view() {
  const DiskPlaces disks;
  SandboxProcess sandbox(disks.places());
  Samples without, with;
  const auto append = [](Samples& to, const Samples& from) {
    to.insert(to.end(), from.begin(), from.end());
  };
  RunCosts plain_costs, view_costs;
  for (int round = 0; round < view_rounds; ++round) {
    const Timing hidden = sandbox.measure({.runs = runs_per_view_round});
    const Timing shown = sandbox.measure({.host_view = true, .runs = runs_per_view_round});
    append(without, hidden.latencies);
    append(with, shown.latencies);
    plain_costs = SandboxProcess::costs_of(hidden);
    view_costs = SandboxProcess::costs_of(shown);
  }
  const Service service;
  const Connection direct = direct_connection(service.port());
  const auto told = sandbox.run_script(client(service.port()), service.port());
  if (told.size() != 2) throw std::runtime_error("the client in the sandbox said nothing");
  const double plain = median(without);
  const auto more = [plain](const char* key, const char* what, double shown, double hidden) {
    return Figure{key, what, shown - hidden, "us", (shown - hidden) / plain, ""};
  };
  return {
      {"host_view_none", "a cold run that shows nothing of the host", plain, "us", 1.0, ""},
      {"host_view", "8 disks, processes, system, 4 ports; x host_view_none", median(with), "us",
       median(with) / plain, "<= 1.25x"},
      more("host_view_cpu_caller", "on a processor, more than without", view_costs.caller,
           plain_costs.caller),
      more("host_view_cpu_launcher", "", view_costs.launcher, plain_costs.launcher),
      more("host_view_cpu_set_up", "inits, forwarders", view_costs.set_up, plain_costs.set_up),
      more("host_view_cpu_script", "", view_costs.script, plain_costs.script),
      {"loopback_direct", "connect and a byte, without a sandbox", direct.microseconds, "us",
       std::nullopt, ""},
      {"loopback_added", "what the forwarder adds to it", told[0] - direct.microseconds, "us",
       std::nullopt, "<= 200 us"},
      {"loopback_share", "of the throughput of a direct connection",
       told[1] / direct.megabytes_per_second, "", std::nullopt, ">= 0.2"},
  };
}

}  // namespace satellite::benchmarks
