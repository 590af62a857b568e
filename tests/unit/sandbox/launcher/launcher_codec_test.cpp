#include "sandbox/launcher/wire/order_codec.hpp"
#include "sandbox/launcher/wire/records.hpp"
#include "sandbox/planning/egress_rules.hpp"
#include "sandbox/state/packed_state.hpp"

#include <catch2/catch.hpp>
#include <random>

using namespace satellite;
using namespace satellite::sandbox;

namespace {

LaunchOrder full_order() {
  LaunchOrder order;
  order.run_number = 42;
  order.engine = Engine::bwrap;
  order.wrapper = {"/usr/bin/bwrap", "--unshare-all", ""};
  order.wrapper_files = {"root:x:0:0\n", std::string("a\0b", 3), ""};
  order.writable_paths = {"/tmp", "/dev"};
  order.readable_paths = {{"/usr", true}, {"/var/log", false}};
  order.command = {"sh", "-c", "echo hi"};
  order.long_script = std::string(200'000, 'x');
  order.environment = {{"A", "1"}, {"B", ""}};
  order.working_directory = "/work";
  order.scratch_directory = "/tmp/csat-x/run-1";
  order.identity = Identity{65'532, 65'533};
  order.identity_is_own = true;
  order.resource_settings = {{Resource::cpu_seconds, 60}, {Resource::file_size, 1ULL << 40U}};
  order.standard_input = std::string("in\0put", 6);
  order.expectation.own_network = true;
  order.expectation.identity = order.identity;
  order.expectation.resource_settings = order.resource_settings;
  order.expectation.memory_sizes = {{"/tmp", 1ULL << 28U}};
  order.expectation.uplink = "tap0";
  order.expectation.filter_rules = 8;
  order.expectation.disks = {{"/", "ext4", "254:0"}, {"/data", "xfs", "254:1"}};
  order.network =
      NetworkOrder{Egress::slirp4netns,
                   *packet_filter({EgressRules::Kind::allowlist, {"2001:db8::/32"}, true}),
                   {80, 65'535}};
  order.state_bytes = 1U << 20U;
  return order;
}

std::vector<LauncherRecord> sample_records() {
  Posture posture;
  posture.uid = {1, 2, 3, 4};
  posture.init_uid = {5, 6, 7, 8};
  posture.own_network = posture.network_read = true;
  posture.interfaces = {"lo", "eth0"};
  posture.unexpected_writable_mounts = {"/var"};
  posture.memory_sizes = {{"/tmp", 268'435'456}, {"/dev/shm", 67'108'864}};
  posture.limits[1] = {64, 128};
  posture.filter_rules = 8;
  posture.keeps_signals = posture.shows_processes = true;
  posture.shown_disks = 0x8000'0000'0000'0001;
  posture.routes = {"default via 10.0.2.2 dev tap0"};
  return {{1, RunStarted{posture}},
          {1, RunStarted{posture, {true, false}}},
          {1, RunStarted{posture, {false, true}}},
          {2, RunSetupFailed{SetupStep::working_directory, 3, 2, "words"}},
          {3, RunRefused{"network: shared"}},
          {4, RunEnded{true, 0x0F00, 10, 20, 30, true}},
          {4, RunEnded{true, 0, 1, 2, 3, false, 0, 0, false, StateEnd::packed, "torn", {}, true}},
          {4, RunEnded{true, 0, 1, 2, 3, false, 0, 0, false, StateEnd::refused, {}, "a link"}},
          {5, RunEnded{true}, Remains::unkillable},
          {5, RunEnded{true}, Remains::overdue},
          {5, RunGone{}},
          {6, RunPrepared{4'096}},
          {6, RunCounted{{}, 9'000'000}},
          {6, RunCounted{"another limit"}}};
}

/// Deterministic: a failure prints the seed by its section's INFO.
std::string damaged(std::string bytes, std::mt19937& random) {
  const auto changes = 1 + random() % 4;
  for (unsigned i = 0; i < changes && !bytes.empty(); ++i) {
    bytes[random() % bytes.size()] = static_cast<char>(random());
  }
  if (random() % 3 == 0) bytes.resize(random() % (bytes.size() + 1));
  return bytes;
}

}  // namespace

TEST_CASE("an order survives its journey unchanged") {
  const LaunchOrder order = full_order();
  const std::string bytes = encode_order(order);
  const auto back = decode_order(bytes);
  REQUIRE(back.has_value());
  CHECK(encode_order(*back) == bytes);
  CHECK(back->command == order.command);
  CHECK(back->standard_input == order.standard_input);
  CHECK(back->wrapper_files == order.wrapper_files);
  CHECK(back->writable_paths == order.writable_paths);
  CHECK(back->expectation.memory_sizes == order.expectation.memory_sizes);
  CHECK(back->expectation.disks == order.expectation.disks);
  CHECK(back->identity_is_own);
  CHECK(back->expectation.own_network);
  CHECK_FALSE(back->expectation.routeless);
  CHECK(back->expectation.uplink == "tap0");
  REQUIRE(back->network);
  CHECK(back->network->egress == Egress::slirp4netns);
  CHECK(back->network->filter == order.network->filter);
  CHECK(back->network->loopback_ports == order.network->loopback_ports);
  CHECK(back->readable_paths == order.readable_paths);
  CHECK(back->state_bytes == order.state_bytes);
}

TEST_CASE("an order for a state is refused where it is too large, and where no engine holds it") {
  LaunchOrder order = full_order();
  order.state_bytes = state_size_max.value + 1;
  CHECK_FALSE(decode_order(encode_order(order)));
  order.state_bytes = state_size_max.value;
  REQUIRE(decode_order(encode_order(order)));
  order.engine = Engine::none;
  order.wrapper.clear();
  order.wrapper_files.clear();
  order.network.reset();
  CHECK_FALSE(decode_order(encode_order(order)));
  order.state_bytes = 0;
  CHECK(decode_order(encode_order(order)));
}

TEST_CASE("the frame of an order is all of it but the task") {
  const LaunchOrder order = full_order();
  LaunchOrder other = order;
  SECTION("another task in the same frame") {
    other.command = {"true"};
    other.environment.clear();
    other.working_directory = "/elsewhere";
    other.standard_input.reset();
    other.long_script.reset();
    CHECK(encode_setup(other) == encode_setup(order));
    return;
  }
  SECTION("another number") {
    ++other.run_number;
  }
  SECTION("another wrapper") {
    other.wrapper.back() = "x";
  }
  SECTION("another file for the wrapper") {
    other.wrapper_files.front() += "x";
  }
  SECTION("another path to write to") {
    other.writable_paths.pop_back();
  }
  SECTION("another path to read") {
    other.readable_paths.back().executable = true;
  }
  SECTION("another port of the host's loopback") {
    other.network->loopback_ports.pop_back();
  }
  SECTION("another size of its state") {
    other.state_bytes *= 2;
  }
  SECTION("another scratch directory") {
    other.scratch_directory += "1";
  }
  SECTION("another identity") {
    other.identity->gid = 1;
  }
  SECTION("an identity that others may have") {
    other.identity_is_own = false;
  }
  SECTION("another limit") {
    other.resource_settings[0].value = 61;
  }
  SECTION("less expected") {
    other.expectation.own_network = false;
  }
  SECTION("another filter") {
    other.network->filter.rules.pop_back();
  }
  SECTION("no network of its own") {
    other.network.reset();
  }
  SECTION("a memory limit") {
    other.cgroup.memory_bytes = 1;
  }
  CHECK(encode_setup(other) != encode_setup(order));
}

TEST_CASE("an order that is cut anywhere is not an order") {
  LaunchOrder order = full_order();
  order.long_script = "short";
  const std::string bytes = encode_order(order);
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    CHECK_FALSE(decode_order(std::string_view(bytes).substr(0, size)).has_value());
  }
  CHECK_FALSE(decode_order(bytes + '\0').has_value());
}

TEST_CASE("orders that make no sense are refused") {
  LaunchOrder order = full_order();
  SECTION("no command") {
    order.command.clear();
  }
  SECTION("an identity of its own that is none") {
    order.identity.reset();
    order.identity_is_own = true;
  }
  SECTION("an init whose user would not be measured") {
    order.init_uid = 7;
  }
  SECTION("an init of another user in a run that sees no processes") {
    order.init_uid = order.expectation.init_uid = 7;
  }
  SECTION("a NUL in an argument") {
    order.command[2] = std::string("echo\0rm", 7);
  }
  SECTION("a NUL in the environment") {
    order.environment[0].second = std::string("a\0b", 3);
  }
  SECTION("an environment name with an equals sign") {
    order.environment[0].first = "A=B";
  }
  SECTION("an empty environment name") {
    order.environment[0].first.clear();
  }
  SECTION("more files for the wrapper than there are descriptors") {
    order.wrapper_files.resize(wrapper_files_max + 1);
  }
  SECTION("files without a wrapper") {
    order.engine = Engine::none;
    order.wrapper.clear();
    order.network.reset();
  }
  SECTION("a wrapper without an engine") {
    order.engine = Engine::none;
  }
  SECTION("an engine without a wrapper") {
    order.wrapper.clear();
  }
  SECTION("a wrapper to be searched on a path") {
    order.wrapper[0] = "bwrap";
  }
  SECTION("an engine this launcher does not have") {
    order.engine = static_cast<Engine>(static_cast<int>(Engine::native) + 1);
  }
  SECTION("a network without a filter") {
    order.network->filter.rules.clear();
  }
  SECTION("a network without a way out") {
    order.network->egress = Egress::routeless;
  }
  SECTION("a network on the host's terms") {
    order.network->egress = Egress::host;
  }
  SECTION("a prefix longer than an address") {
    order.network->filter.rules[1].destination.prefix_length = 129;
  }
  SECTION("more rules than there may be") {
    order.network->filter.rules.resize(filter_rules_max + 1);
  }
  SECTION("an uplink whose name no interface can have") {
    order.expectation.uplink = std::string(16, 'x');
  }
  SECTION("a disk at no place") {
    order.expectation.disks[1].target = "data";
  }
  SECTION("more disks than a posture has bits for") {
    order.expectation.disks.resize(65, order.expectation.disks[0]);
  }
  SECTION("a root on a disk of a run without a root of its own") {
    order.engine = Engine::native;
    order.wrapper.clear();
    order.wrapper_files.clear();
    order.native.emplace();
    order.native->root_on_disk = true;
  }
  SECTION("processes of the host that nobody is to measure") {
    order.engine = Engine::native;
    order.wrapper.clear();
    order.wrapper_files.clear();
    order.native.emplace();
    order.native->confined = order.native->shows_processes = true;
  }
  SECTION("processes of the host under an engine that does not show them") {
    order.expectation.shows_processes = true;
  }
  SECTION("an argument longer than the kernel takes") {
    order.command[2].assign(131'072, 'x');
  }
  CHECK_FALSE(decode_order(encode_order(order)).has_value());
}

TEST_CASE("records and requests survive their journey unchanged") {
  for (const auto& record : sample_records()) {
    const auto back = decode_record(encode_record(record));
    REQUIRE(back.has_value());
    CHECK(*back == record);
    CHECK_FALSE(decode_request(encode_record(record)));
  }
  for (const auto kind : {RequestKind::start, RequestKind::terminate, RequestKind::kill,
                          RequestKind::try_namespaces, RequestKind::prepare, RequestKind::begin}) {
    LauncherRequest request{kind, 7, std::nullopt};
    if (kind == RequestKind::try_namespaces) request.identity = Identity{1, 2};
    const auto back = decode_request(encode_request(request));
    REQUIRE(back.has_value());
    CHECK(*back == request);
    CHECK_FALSE(decode_record(encode_request(request)));
  }
}

TEST_CASE("the largest record fits into one message") {
  Posture posture;
  posture.interfaces.assign(100, std::string(1'000, 'i'));
  posture.unexpected_writable_mounts.assign(100, std::string(5'000, 'm'));
  posture.memory_sizes.assign(100, {std::string(5'000, 'p'), 1});
  const LauncherRecord records[] = {
      {1, RunStarted{posture}},
      {2, RunSetupFailed{SetupStep::exec, 0, 0, std::string(9'999, 't')}},
      {3, RunRefused{std::string(9'999, 'm')}}};
  for (const auto& record : records) {
    const std::string bytes = encode_record(record);
    CHECK(bytes.size() <= record_size_max);
    CHECK(decode_record(bytes).has_value());
  }
}

TEST_CASE("the path of a memory file system travels whole, however long") {
  Posture posture;
  posture.memory_sizes = {{"/" + std::string(4'095, 'a'), 1}, {"/" + std::string(300, 'b'), 2}};
  const auto back = decode_record(encode_record({1, RunStarted{posture}}));
  REQUIRE(back.has_value());
  CHECK(std::get<RunStarted>(back->event).posture.memory_sizes == posture.memory_sizes);
}

TEST_CASE("damaged bytes are refused or read as something valid, never worse") {
  const unsigned seed = GENERATE(1U, 2U, 3U);
  INFO("seed " << seed);
  std::mt19937 random(seed);
  LaunchOrder order = full_order();
  order.long_script = "text";
  const std::string order_bytes = encode_order(order);
  const auto records = sample_records();
  for (int i = 0; i < 20'000; ++i) {
    if (const auto decoded = decode_order(damaged(order_bytes, random))) {
      CHECK_FALSE(decoded->command.empty());
    }
    const auto& record = records[random() % records.size()];
    if (const auto decoded = decode_record(damaged(encode_record(record), random))) {
      CHECK(encode_record(*decoded).size() <= record_size_max);
    }
  }
}
