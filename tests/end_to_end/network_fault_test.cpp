// What a network can do to a satellite, one fault each, and what holds in all of them
// (fault_scene.hpp): it lives, spins nowhere, grows nowhere, says what is wrong, and loses nothing.
#include "tests/end_to_end/fault_scene.hpp"
#include "tests/support/in_child.hpp"
#include "tests/support/require_layer.hpp"

#include <sys/mount.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/udp.hpp>
#include <catch2/catch.hpp>
#include <fstream>
#include <functional>
#include <vector>

using namespace satellite;
using namespace satellite::tests;
using namespace std::chrono_literals;
namespace asio = boost::asio;

namespace {

FaultScene::Options impatient() {
  FaultScene::Options options;
  options.is_impatient = true;
  return options;
}

/// Where an end is to be noticed, and not the silence after it.
FaultScene::Options patient_with_silence() {
  FaultScene::Options options = impatient();
  options.scene.environment["CHECKSTACK_SATELLITE_SILENCE_MAX"] = "600";
  return options;
}

/// A satellite that is to connect to something else than the core.
FaultScene::Options towards(const std::string& url) {
  FaultScene::Options options = impatient();
  options.scene.environment["CHECKSTACK_CORE_URL"] = url;
  options.waits_until_connected = false;
  return options;
}

/// A satellite that cannot connect runs no check: it has none yet.
void check_waits(FaultScene& scene, std::size_t attempts) {
  eventually("it goes on trying", [&] { return scene.lines(" connect_failed ") >= attempts; });
  CHECK(scene->satellite().running());
  CHECK(scene->core().ledger().counters().authentications == 0);
}

/// In a mount namespace of its own, with another content of a file of the host.
std::string with_file(const std::string& path, const std::string& content,
                      const std::function<std::string(const std::string&)>& what) {
  take_own_mounts();
  const TempDir directory;
  const std::string file = directory.write("file", content);
  if (::mount(file.c_str(), path.c_str(), nullptr, MS_BIND, nullptr) != 0) return "no bind mount";
  return what(file);
}

}  // namespace

TEST_CASE("a name that does not exist is told, and looked up anew each time") {
  FaultScene scene(towards("https://core.invalid"));
  check_waits(scene, 3);
  CHECK(scene.lines("stage=dns") >= 3);
}

TEST_CASE("a name that nobody knows at the start is found once somebody does") {
  if (!require_layer("root", ::geteuid() == 0, "only root can replace the hosts file")) return;
  const auto appears = [](const std::string& hosts) {
    Scene::Options options = Scene::with_policy(default_policy);
    options.core.certificate_request.names = {"core.example.org"};
    options.host = "core.example.org";
    options.waits_until_connected = false;
    Scene scene(std::move(options));
    scene.wait_for_log("stage=dns");
    if (!scene.satellite().running()) return std::string("gave up");
    std::ofstream(hosts) << "127.0.0.1 core.example.org\n";
    return std::string(scene.core().wait_until_authenticated() ? "found" : "never connected");
  };
  CHECK(in_child([&appears] {
          return with_file("/etc/hosts", "127.0.0.1 localhost\n", appears);
        }) == "found");
}

TEST_CASE("name servers that do not answer cost an attempt its deadline and nothing else") {
  if (!require_layer("root", ::geteuid() == 0, "only root can replace resolv.conf")) return;
  CHECK(in_child([] {
          asio::io_context context;
          // Takes questions and answers none.
          asio::ip::udp::socket silent(context, {asio::ip::make_address_v4("127.0.0.254"), 53});
          return with_file(
              "/etc/resolv.conf", "nameserver 127.0.0.254\noptions timeout:30\n",
              [](const std::string&) {
                auto options = towards("https://core.example.org");
                options.scene.environment["CHECKSTACK_SATELLITE_CONNECT_DEADLINE"] = "1";
                FaultScene scene(std::move(options));
                check_waits(scene, 2);
                // The same again is counted, not written.
                return std::string(scene.lines("no answer for core.example.org in time") >= 1
                                       ? "told"
                                       : scene->satellite().log());
              });
        }) == "told");
}

TEST_CASE("a core that moved is found at its new address when the old one is dead") {
  if (!require_layer("root", ::geteuid() == 0, "only root can replace the hosts file")) return;
  const auto moves = [](const std::string& hosts) {
    // One port on two addresses of loopback: the old place, which dies, and the new one.
    FaultProxy old_place("127.0.0.8"), new_place("127.0.0.9", old_place.port());
    FaultScene::Options options = impatient();
    options.scene.core.certificate_request.names = {"core.example.org"};
    options.scene.environment["CHECKSTACK_CORE_URL"] =
        "https://core.example.org:" + std::to_string(old_place.port());
    options.waits_until_connected = false;
    FaultScene scene(std::move(options));
    old_place.forward_to(scene->core().port());
    new_place.forward_to(scene->core().port());
    if (!scene->core().wait_until_authenticated()) return std::string("never connected");
    old_place.set(Direction::to_core, {.swallow_at = 0});
    old_place.set(Direction::to_satellite, {.swallow_at = 0});
    std::ofstream(hosts) << "127.0.0.9 core.example.org\n";
    scene->wait_for_log(" disconnected ");
    if (!scene->core().wait_until_authenticated(devcore::DevCore::patience, 2))
      return std::string("not found");
    return std::string(new_place.connections() > 0 ? "found" : "at the old place");
  };
  CHECK(in_child([&moves] {
          return with_file("/etc/hosts", "127.0.0.8 core.example.org\n", moves);
        }) == "found");
}

TEST_CASE("a core whose packets vanish at the connect is given up after the deadline") {
  asio::io_context context;
  const auto loopback = asio::ip::address_v4::loopback();
  asio::ip::tcp::acceptor full(context, {loopback, 0});
  full.listen(0);
  // Its queue is full and nobody accepts: what else comes is dropped by the kernel.
  std::vector<asio::ip::tcp::socket> waiting;
  for (int i = 0; i < 4; ++i) {
    waiting.emplace_back(context);
    waiting.back().async_connect(full.local_endpoint(), [](const auto&) {});
  }
  auto options = towards("https://127.0.0.1:" + std::to_string(full.local_endpoint().port()));
  options.scene.environment["CHECKSTACK_SATELLITE_CONNECT_DEADLINE"] = "1";
  FaultScene scene(std::move(options));
  check_waits(scene, 2);
  CHECK(scene.lines("error_code=timed_out") >= 2);
  CHECK(scene.lines("no connection in time: 127.0.0.1:" +
                    std::to_string(full.local_endpoint().port()) + " does not answer") >= 2);
}

TEST_CASE("a core that is not there is tried again with pauses, and found when it is") {
  FaultScene scene;
  const auto begun = std::chrono::steady_clock::now();
  const std::uint64_t before = scene.proxy().connections();
  scene->stop_core();
  scene.wait_for_lines(" connect_failed ", 3);
  scene.check_well();
  const std::uint64_t attempts = scene.proxy().connections() - before;
  const auto took = std::chrono::steady_clock::now() - begun;
  CHECK(attempts <= static_cast<std::uint64_t>(took / 100ms) + 1);
  scene->start_core();
  REQUIRE(scene->core().wait_until_authenticated());
}

TEST_CASE("a connection that turns into a black hole is given up, and its results are kept") {
  const auto direction = GENERATE(Direction::to_core, Direction::to_satellite);
  FaultScene scene(impatient());
  scene.proxy().set(direction, {.swallow_at = 0});
  scene.wait_for_lines(" disconnected ", 1);
  scene.check_well();
  scene.check_recovery();
}

TEST_CASE("a connection that is reset or cut within a frame leaves no half of one behind") {
  const bool resets = GENERATE(true, false);
  const auto direction = GENERATE(Direction::to_core, Direction::to_satellite);
  FaultScene scene(patient_with_silence());
  LinkFault fault;
  (resets ? fault.reset_at : fault.close_at) = scene.proxy().bytes(direction) + 37;
  scene.proxy().set(direction, fault);
  scene.wait_for_lines(" disconnected ", 1);
  scene.check_well();
  CHECK(scene->core().ledger().invalid_frames().empty());
  scene.check_recovery();
}

TEST_CASE("a link that is slow carries what is urgent beside a backlog") {
  const std::string bulk = "head -c 60000 /dev/zero | tr '\\0' x";
  FaultScene::Options options;
  options.scene = with_checks({shell_check("alive", "echo alive", 1), shell_check("bulk", bulk, 1),
                               shell_check("bulk-2", bulk, 1)});
  FaultScene scene(std::move(options));
  scene.proxy().set(Direction::to_core, {.close_at = 0});
  scene.wait_for_lines(" check_finished check=bulk", 24);
  const std::size_t made = scene.lines(" check_finished check=bulk");
  const auto known = scene->core().ledger().counters().authentications;
  scene.proxy().set(Direction::to_core, {.bytes_per_tick = 1'000});
  REQUIRE(scene->core().wait_until_authenticated(devcore::DevCore::patience, known + 1));
  CHECK(scene->run("echo through").standard_output == "through\n");
  // It overtook the backlog.
  CHECK(results_of(scene.scene(), "bulk").size() + results_of(scene.scene(), "bulk-2").size() <
        made);
  scene.check_recovery();
}

TEST_CASE("a core that answers byte by byte runs into the deadline of all stages") {
  FaultScene::Options options;
  options.waits_until_connected = false;
  options.to_satellite.bytes_per_tick = 1;
  options.scene.environment["CHECKSTACK_SATELLITE_CONNECT_DEADLINE"] = "1";
  FaultScene scene(std::move(options));
  check_waits(scene, 2);
  CHECK(scene.lines("timed_out") >= 2);
  scene.proxy().heal();
  REQUIRE(scene->core().wait_until_authenticated());
}

TEST_CASE("a peer that stops reading is left, without growth meanwhile") {
  FaultScene scene(impatient());
  scene.proxy().set(Direction::to_core, {.stall_at = 0});
  scene.wait_for_lines(" disconnected ", 1);
  scene.check_well();
  scene.check_recovery();
}

TEST_CASE("a balancer that cuts every connection does not make the satellite hammer the core") {
  FaultScene scene;
  const auto begun = std::chrono::steady_clock::now();
  const std::uint64_t before = scene.proxy().connections();
  const std::uint64_t cut_after = 5'000;
  scene.proxy().set(Direction::to_core, {.close_at = cut_after});
  scene.wait_for_lines(" disconnected ", 3);
  scene.wait_for_lines(" connection_unstable ", 1);
  scene.check_well();
  const auto took = std::chrono::steady_clock::now() - begun;
  const std::uint64_t attempts = scene.proxy().connections() - before;
  CHECK(attempts <= static_cast<std::uint64_t>(took / 100ms) + 1);
  CHECK(scene.lines(" connection_unstable ") == 1);
  scene.check_recovery();
}

TEST_CASE("a core that asks for patience gets it") {
  FaultScene::Options options;
  options.waits_until_connected = false;
  const unsigned status = GENERATE(429U, 503U);
  options.scene.core.plans.push_back(
      {devcore::Misbehaviour::http_status, status, {{"Retry-After", "2"}}});
  const auto begun = std::chrono::steady_clock::now();
  FaultScene scene(std::move(options));
  scene->wait_for_log(" reconnect_waits ");
  const std::string log = scene->satellite().log();
  const auto at = log.find(" reconnect_waits ");
  const std::string line = log.substr(at, log.find('\n', at) - at);
  INFO(line);
  CHECK(line.find(" in=2") != std::string::npos);  // its own waits are 1 s at most
  REQUIRE(scene->core().wait_until_authenticated());
  CHECK(std::chrono::steady_clock::now() - begun > 2s);
}

TEST_CASE("a redirect is not followed, and what it names is told") {
  FaultScene::Options options;
  options.waits_until_connected = false;
  options.scene.core.plans.push_back(
      {devcore::Misbehaviour::http_status, 302, {{"Location", "https://elsewhere.example/ws"}}});
  FaultScene scene(std::move(options));
  scene->wait_for_log("https://elsewhere.example/ws");
  REQUIRE(scene->core().wait_until_authenticated());
}

TEST_CASE("a path that loses large packets is a dead connection, and nothing is lost by it") {
  FaultScene::Options options;
  options.scene = with_checks({shell_check("alive", "echo alive", 1),
                               shell_check("large", "head -c 9000 /dev/zero | tr '\\0' x", 1)});
  options.is_impatient = true;
  FaultScene scene(std::move(options));
  nth_result(scene.scene(), "large");
  scene.proxy().set(Direction::to_core, {.piece_max = 4'000});
  scene.wait_for_lines(" disconnected ", 1);
  scene.check_well();
  scene.check_recovery();
}

TEST_CASE("a bit that flips on the way is noticed, and ends the connection") {
  const auto direction = GENERATE(Direction::to_core, Direction::to_satellite);
  FaultScene scene(impatient());
  scene.proxy().set(direction, {.flip_at = scene.proxy().bytes(direction) + 20});
  scene.wait_for_lines(" disconnected ", 1);
  scene.check_well();
  CHECK(scene->core().ledger().invalid_frames().empty());
  scene.check_recovery();
}

TEST_CASE("one direction that ends is an end: the other does not keep the connection half open") {
  const auto direction = GENERATE(Direction::to_core, Direction::to_satellite);
  FaultScene scene(patient_with_silence());
  scene.proxy().set(direction, {.finish_at = 0});
  scene.wait_for_lines(" disconnected ", 1);
  scene.check_well();
  scene.check_recovery();
}

TEST_CASE("a network of long delays is only slow") {
  FaultScene scene;
  scene.proxy().set(Direction::to_core, {.delay = 300ms});
  scene.proxy().set(Direction::to_satellite, {.delay = 300ms});
  CHECK(scene->run("echo through").standard_output == "through\n");
  scene.check_well();
  CHECK(scene.lines(" disconnected ") == 0);
  scene.check_recovery();
}

TEST_CASE("of two cores the one that is there is used, and kept when the other comes back") {
  asio::io_context context;
  asio::ip::tcp::acceptor gone(context, {asio::ip::address_v4::loopback(), 0});
  const auto port = gone.local_endpoint().port();
  gone.close();
  FaultProxy second;
  auto options = towards("https://127.0.0.1:" + std::to_string(port) +
                         ", https://127.0.0.1:" + std::to_string(second.port()));
  FaultScene scene(std::move(options));
  second.forward_to(scene->core().port());
  REQUIRE(scene->core().wait_until_authenticated());
  const std::size_t failed = scene.lines(" connect_failed ");
  CHECK(failed >= 1);
  scene.wait_for_lines(" check_finished ", scene.lines(" check_finished ") + 1);
  scene.check_well();
}
