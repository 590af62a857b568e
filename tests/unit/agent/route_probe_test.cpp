#include "agent/link/route_probe.hpp"

#include <catch2/catch.hpp>

using namespace satellite::agent;
using namespace std::chrono_literals;
using Step = RouteProbe::Step;

namespace {

constexpr RouteProbe::Time start{1h};

}  // namespace

TEST_CASE("a core that answers is asked again every minute, and silence then means a lost way") {
  RouteProbe probe(start, {});
  CHECK(probe.step(start) == Step::ask);
  CHECK(probe.step(start + 1s) == Step::wait);
  probe.answered();
  CHECK(probe.step(probe.next()) == Step::wait);
  CHECK(probe.next() == start + 60s);
  CHECK(probe.step(start + 60s) == Step::ask);
  CHECK(probe.step(start + 69s) == Step::wait);
  CHECK(probe.step(start + 70s) == Step::reconnect);
}

TEST_CASE("a core that never answered is too old to be asked, and is left alone") {
  RouteProbe probe(start, {});
  CHECK(probe.step(start) == Step::ask);
  CHECK(probe.step(start + 9s) == Step::wait);
  CHECK(probe.step(start + 10s) == Step::give_up);
}

TEST_CASE("an answer in time is as good as one at once") {
  RouteProbe probe(start, {});
  CHECK(probe.step(start) == Step::ask);
  probe.answered();
  CHECK(probe.step(start + 60s) == Step::ask);
  probe.answered();
  CHECK(probe.step(start + 71s) == Step::wait);
  CHECK(probe.step(start + 120s) == Step::ask);
}

TEST_CASE("who is asked often has no longer to answer than until the next question") {
  RouteProbe probe(start, {2s, 10s});
  CHECK(probe.step(start) == Step::ask);
  probe.answered();
  CHECK(probe.step(start + 2s) == Step::ask);
  CHECK(probe.step(start + 4s) == Step::reconnect);
}
