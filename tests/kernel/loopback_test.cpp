// Services on the host's loopback that the operator grants: their ports answer in a run as on the
// host, these and no others.
#include "tests/support/in_child.hpp"
#include "tests/support/loopback_port.hpp"
#include "tests/support/require_layer.hpp"
#include "tests/support/script_bench.hpp"

#include "protocol/vocabulary/unique_fd.hpp"
#include "sandbox/kernel/proc_facts.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <algorithm>
#include <array>
#include <catch2/catch.hpp>
#include <cerrno>
#include <fstream>
#include <iterator>
#include <stdexcept>

using namespace satellite;
using namespace satellite::sandbox;
using namespace satellite::tests;

namespace {

/// A service on the host's 127.0.0.1 (or ::1) that answers each connection with a line and then
/// what it got, until the peer has sent all. It is a process: a launcher that is forked beside a
/// thread can be forked while that thread holds a lock of a sanitizer's allocator, for ever.
class LoopbackService {
 public:
  explicit LoopbackService(int family = AF_INET, std::uint16_t port = 0) : family_(family) {
    listening_ = UniqueFd(::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const int yes = 1;
    ::setsockopt(listening_.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
    sockaddr_storage address{};
    socklen_t size = sizeof(sockaddr_in);
    if (family == AF_INET) {
      auto& four = reinterpret_cast<sockaddr_in&>(address);
      four.sin_family = AF_INET;
      four.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
      four.sin_port = htons(port);
    } else {
      auto& six = reinterpret_cast<sockaddr_in6&>(address);
      six.sin6_family = AF_INET6;
      six.sin6_addr = in6addr_loopback;
      six.sin6_port = htons(port);
      size = sizeof(six);
    }
    auto* const plain = reinterpret_cast<sockaddr*>(&address);
    if (::bind(listening_.get(), plain, size) != 0 || ::listen(listening_.get(), 64) != 0 ||
        ::getsockname(listening_.get(), plain, &size) != 0) {
      throw std::runtime_error("service");
    }
    port_ = ntohs(family == AF_INET ? reinterpret_cast<sockaddr_in&>(address).sin_port
                                    : reinterpret_cast<sockaddr_in6&>(address).sin6_port);
    serving_ = ::fork();
    if (serving_ < 0) throw std::runtime_error("service");
    if (serving_ == 0) serve();
    listening_.reset();  // its own
  }
  ~LoopbackService() {
    ::kill(serving_, SIGKILL);
    ::waitpid(serving_, nullptr, 0);
  }
  LoopbackService(const LoopbackService&) = delete;
  LoopbackService& operator=(const LoopbackService&) = delete;

  std::uint16_t port() const { return port_; }

 private:
  [[noreturn]] void serve() const {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    // Nothing but its port: the launcher ends when nobody holds its socket any more.
    const int port = ::dup2(listening_.get(), 3);
    ::close_range(4, ~0U, 0);
    for (;;) {
      const UniqueFd peer(::accept4(port, nullptr, nullptr, SOCK_CLOEXEC));
      if (!peer && errno != EINTR && errno != ECONNABORTED) ::_exit(1);
      static_cast<void>(::send(peer.get(), "here\n", 5, MSG_NOSIGNAL));
      std::array<char, 65'536> buffer;
      for (ssize_t got = 0; (got = ::read(peer.get(), buffer.data(), buffer.size())) > 0;) {
        static_cast<void>(
            ::send(peer.get(), buffer.data(), static_cast<std::size_t>(got), MSG_NOSIGNAL));
      }
    }
  }

  int family_;
  UniqueFd listening_;
  std::uint16_t port_ = 0;
  pid_t serving_ = -1;
};

/// `ask ADDRESS PORT`: sends a line, says what came back or why nothing did.
std::string asking() {
  return "cat > ask.py <<'END'\n"
         "import socket, sys\n"
         "host, port = sys.argv[1], int(sys.argv[2])\n"
         "size = int(sys.argv[3]) if len(sys.argv) > 3 else 4\n"
         "try:\n"
         "  s = socket.create_connection((host, port), 20)\n"
         "  s.settimeout(60)\n"
         "  import threading\n"
         "  def send():\n"
         "    try: s.sendall(b'x' * size); s.shutdown(socket.SHUT_WR)\n"
         "    except OSError: pass  # the reader says what happened\n"
         "  t = threading.Thread(target=send); t.start()\n"
         "  total = b''\n"
         "  while True:\n"
         "    b = s.recv(65536)\n"
         "    if not b: break\n"
         "    total += b\n"
         "  t.join()\n"
         "  print(total[:4].decode(), len(total) - 5)\n"
         "except OSError as e: print(type(e).__name__)\n"
         "END\n"
         "ask() { python3 ask.py \"$@\"; }\n";
}

std::string said_by(const Ran& ran) {
  return ran.standard_output + ran.standard_error + ran.result.error.value_or("");
}

std::vector<pid_t> children_of_launcher(const ScriptBench& bench) {
  const std::string pid = std::to_string(bench.launcher->pid());
  std::ifstream file("/proc/" + pid + "/task/" + pid + "/children");
  return {std::istream_iterator<pid_t>(file), {}};
}

bool is_alive(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  const std::string text((std::istreambuf_iterator<char>(file)), {});
  const auto exiting = kernel::parse_is_exiting(text);
  return exiting && !*exiting;
}

}  // namespace

TEST_CASE("a granted port of the host's loopback answers, another one does not") {
  const Engine engine = GENERATE(Engine::native, Engine::bwrap);
  const LoopbackService granted, other;
  const LoopbackService six(AF_INET6, granted.port());
  ScriptBench bench(engine);
  const ReservedPort unused;
  bench.settings.host_view.loopback = {granted.port(), unused.number()};
  const std::string port = std::to_string(granted.port());
  const Ran ran = bench.run(
      script(asking() + "ask 127.0.0.1 " + port + "; ask ::1 " + port + "; ask 127.0.0.2 " + port +
             "; ask 127.0.0.1 " + std::to_string(other.port()) + "; ask 127.0.0.1 " +
             std::to_string(bench.settings.host_view.loopback[1]) + "; ask 127.0.0.1 " + port +
             " 3000000"),
      policy_for(engine));
  INFO(name_of(engine));
  CHECK(said_by(ran) ==
        "here 4\nhere 4\nConnectionRefusedError\nConnectionRefusedError\n"
        "ConnectionRefusedError\nhere 3000000\n");
  CHECK(
      ran.result.sandbox.grants ==
      std::vector<std::string>{"loopback " + port,
                               "loopback " + std::to_string(bench.settings.host_view.loopback[1])});
}

TEST_CASE("without a grant no port of the host answers") {
  const Engine engine = GENERATE(Engine::native, Engine::bwrap);
  const LoopbackService service;
  ScriptBench bench(engine);
  const Ran ran = bench.run(script(asking() + "ask 127.0.0.1 " + std::to_string(service.port())),
                            policy_for(engine));
  CHECK(said_by(ran) == "ConnectionRefusedError\n");
}

TEST_CASE("a service that stops is refused, and one that starts answers, while a run goes on") {
  const ReservedPort reserved;
  const std::uint16_t port = reserved.number();
  std::unique_ptr<LoopbackService> service;
  ScriptBench bench(Engine::native);
  bench.settings.host_view.loopback = {port};
  Listener listener;
  listener.on_output = [&](const std::string& text) {
    if (holds(text, "before") && !holds(text, "here") && !service) {
      service = std::make_unique<LoopbackService>(AF_INET, port);
    }
    if (holds(text, "here")) service.reset();
  };
  const std::string number = std::to_string(port);
  const Ran ran = bench.run(
      script(asking() + "ask 127.0.0.1 " + number + "; echo before; until ask 127.0.0.1 " + number +
             " | grep here; do sleep 0.05; done; until ask 127.0.0.1 " + number +
             " | grep Refused; do sleep 0.05; done"),
      policy_for(Engine::native), listener);
  CHECK(said_by(ran) == "ConnectionRefusedError\nbefore\nhere 4\nConnectionRefusedError\n");
}

TEST_CASE("prepared runs carry granted ports, and nothing of a run's network stays behind") {
  const LoopbackService service;
  ScriptBench bench(Engine::native);
  bench.settings.host_view.loopback = {service.port()};
  bench.keep_prepared(1);
  const Policy policy = policy_for(Engine::native);
  const auto ask = [&] {
    return bench.run(script(asking() + "ask 127.0.0.1 " + std::to_string(service.port())), policy);
  };
  CHECK(said_by(ask()) == "here 4\n");
  REQUIRE(bench.wait_until_prepared(1));
  const Ran prepared = ask();
  CHECK(said_by(prepared) == "here 4\n");
  CHECK(prepared.result.was_prepared);
}

TEST_CASE("a run with granted ports starts in a network that stands ready, and is served as ever") {
  const LoopbackService service;
  ScriptBench bench(Engine::native);
  bench.settings.host_view.loopback = {service.port()};
  const std::string port = std::to_string(service.port());
  const ReservedPort unused;
  // A ping needs what was set in the network before: no run may set it in one that it does not own.
  const std::string text = asking() + "ask 127.0.0.1 " + port + "; ask ::1 " + port +
                           "; ask 127.0.0.1 " + std::to_string(unused.number()) +
                           "; python3 -c 'import socket; socket.socket(socket.AF_INET, "
                           "socket.SOCK_DGRAM, socket.IPPROTO_ICMP); print(\"may ping\")'";
  const LoopbackService six(AF_INET6, service.port());
  const Policy policy = policy_for(Engine::native);
  int ready = 0;
  for (int runs = 0; runs < 100 && ready < 3; ++runs) {
    const Ran ran = bench.run(script(text), policy);
    CHECK(said_by(ran) == "here 4\nhere 4\nConnectionRefusedError\nmay ping\n");
    ready += ran.result.network_was_ready ? 1 : 0;
  }
  CHECK(ready == 3);
}

TEST_CASE("a killed launcher takes along the process that carries granted ports") {
  const LoopbackService service;
  ScriptBench bench(Engine::native);
  bench.settings.host_view.loopback = {service.port()};
  std::vector<pid_t> children;
  Listener listener;
  listener.on_output = [&](const std::string&) {
    if (!children.empty()) return;
    children = children_of_launcher(bench);
    ::kill(bench.launcher->pid(), SIGKILL);
  };
  const Ran ran = bench.run(script("echo up; sleep 1000"), policy_for(Engine::native), listener);
  CHECK(ran.result.outcome == Outcome::interrupted);
  REQUIRE(children.size() >= 2);  // init, and the one that is meant
  CHECK(eventually([&] { return std::none_of(children.begin(), children.end(), is_alive); }));
}

TEST_CASE("a script cannot take a granted port, reach the forwarder or wear it out") {
  const LoopbackService service;
  ScriptBench bench(Engine::native);
  bench.settings.host_view.loopback = {service.port()};
  const std::string port = std::to_string(service.port());
  const std::string text =
      asking() +
      "cat > many.py <<'END'\n"
      "import socket, sys\n"
      "port = int(sys.argv[1])\n"
      "s = socket.socket()\n"
      "try: s.bind(('127.0.0.1', port)); print('bound')\n"
      "except OSError as e: print(type(e).__name__)\n"
      "many = []\n"
      "for i in range(400):\n"
      "  c = socket.socket(); c.setblocking(False); c.connect_ex(('127.0.0.1', port)); "
      "many.append(c)\n"
      "for c in many: c.close()\n"
      "END\n"
      "python3 many.py " +
      port + "; until ask 127.0.0.1 " + port +
      " | grep here; do sleep 0.05; done; ls /proc | grep -c '^[0-9]'";
  const Ran ran = bench.run(script(text), policy_for(Engine::native));
  const auto lines = said_by(ran);
  CHECK(lines.starts_with("OSError\nhere 4\n"));
}
