#include "sandbox/launcher/bare/setup_attempt.hpp"
#include "sandbox/launcher/wire/order_codec.hpp"
#include "tests/support/native_orders.hpp"

#include <unistd.h>
#include <catch2/catch.hpp>
#include <cerrno>

using namespace satellite;
using namespace satellite::sandbox;
using namespace satellite::tests;

// Faults are how tests make a step of a set-up fail. None may ever make a step be left out.

TEST_CASE("a step with a fault that names no error is done all the same") {
  for (const int error_number : {0, -1}) {
    const Fault fault{SetupStep::limit, -1, error_number};
    const bare::Attempt attempt(fault, -1);
    CHECK(attempt.may(SetupStep::limit, 0, __NR_getpid) == ::getpid());
  }
}

TEST_CASE("a step with a fault fails in a test build, and is done in a released one") {
  const Fault fault{SetupStep::limit, 2, EIO};
  const bare::Attempt attempt(fault, -1);
  CHECK(attempt.may(SetupStep::limit, 2, __NR_getpid) == (has_fault_injection ? -EIO : ::getpid()));
  CHECK(attempt.may(SetupStep::limit, 1, __NR_getpid) == ::getpid());
  CHECK(attempt.may(SetupStep::exec, 2, __NR_getpid) == ::getpid());
}

TEST_CASE(
    "an order with a fault that is none is refused, and one with any by a released launcher") {
  LaunchOrder order;
  order.command = {"true"};
  const auto is_taken = [&order](Fault fault) {
    order.fault = fault;
    return decode_order(encode_order(order)).has_value();
  };
  CHECK(is_taken({}));
  CHECK(is_taken({SetupStep::limit, -1, EIO}) == has_fault_injection);
  CHECK(is_taken({SetupStep::limit, 3, 4'095}) == has_fault_injection);
  CHECK_FALSE(is_taken({SetupStep::limit, -1, 0}));
  CHECK_FALSE(is_taken({SetupStep::limit, -1, -EIO}));
  CHECK_FALSE(is_taken({SetupStep::limit, -1, 4'096}));
  CHECK_FALSE(is_taken({SetupStep::none, -1, EIO}));
  CHECK_FALSE(is_taken({SetupStep::none, 0, 0}));
}

TEST_CASE("no order can leave a step out and have it called done") {
  NativeOrders bench;
  using enum SetupStep;
  for (const SetupStep step : {private_mounts, seal_root, pivot_root, capabilities, limit,
                               no_new_privileges, landlock, seccomp}) {
    INFO("step " << name_of(step));
    LaunchOrder order = bench.order();
    order.fault = {step, -1, 0};
    const auto end = bench.perform(order);
    CHECK(end.output.empty());
    REQUIRE(std::holds_alternative<RunSetupFailed>(end.record.event));
    CHECK(name_of(std::get<RunSetupFailed>(end.record.event).step) == "decode_order");
  }
  // The same order without a fault.
  CHECK(bench.perform(bench.order()).output == "ran\n");
}
