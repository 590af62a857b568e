#include "agent/connection/registration_probe.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <vector>

using namespace satellite::agent;
using namespace std::chrono_literals;
using Step = RegistrationProbe::Step;

namespace {

constexpr RegistrationProbe::Time start{1h};

}  // namespace

TEST_CASE("a core that answers is asked every minute; two unanswered questions mean a lost way") {
  RegistrationProbe probe(start, {});
  CHECK(probe.step(start) == Step::ask);
  CHECK(probe.step(start + 1s) == Step::wait);
  probe.answered();
  CHECK(probe.step(start + 2s) == Step::wait);
  CHECK(probe.next() == start + 60s);
  CHECK(probe.step(start + 60s) == Step::ask);
  CHECK(probe.step(start + 69s) == Step::wait);
  CHECK(probe.step(start + 70s) == Step::ask);
  CHECK(probe.step(start + 79s) == Step::wait);
  CHECK(probe.step(start + 80s) == Step::reconnect);
}

TEST_CASE("one slow answer is no lost way") {
  RegistrationProbe probe(start, {});
  CHECK(probe.step(start) == Step::ask);
  probe.answered();
  CHECK(probe.step(start + 60s) == Step::ask);
  CHECK(probe.step(start + 70s) == Step::ask);
  // The answer to the first of the two, after 11 s.
  probe.answered();
  CHECK(probe.unanswered() == 0);
  CHECK(probe.step(start + 80s) == Step::wait);
  CHECK(probe.step(start + 130s) == Step::ask);
}

TEST_CASE("a core that does not answer is not left, and is asked again ever more seldom") {
  RegistrationProbe probe(start, {});
  std::vector<std::chrono::seconds> asked;
  for (RegistrationProbe::Time now = start; now < start + 5h;) {
    const Step step = probe.step(now);
    REQUIRE(step != Step::reconnect);
    if (step == Step::ask)
      asked.push_back(std::chrono::duration_cast<std::chrono::seconds>(now - start));
    now = std::max(probe.next(), now + 1s);
  }
  REQUIRE(asked.size() >= 8);
  CHECK(asked[1] == 60s);
  CHECK(asked[2] == 180s);
  CHECK(asked[3] == 420s);
  CHECK(asked.back() - asked[asked.size() - 2] == 1h);
  CHECK_FALSE(probe.answered_here());
}

TEST_CASE("an answer that comes after the pause began counts: from then on silence is a lost way") {
  RegistrationProbe probe(start, {});
  CHECK(probe.step(start) == Step::ask);
  CHECK(probe.step(start + 10s) == Step::wait);
  probe.answered();
  CHECK(probe.answered_here());
  CHECK(probe.step(start + 60s) == Step::ask);
  CHECK(probe.step(start + 70s) == Step::ask);
  CHECK(probe.step(start + 80s) == Step::reconnect);
}

TEST_CASE("a core that answered on an earlier connection may have lost the way at once") {
  RegistrationProbe::Settings settings;
  settings.core_answers = true;
  RegistrationProbe probe(start, settings);
  CHECK(probe.step(start) == Step::ask);
  CHECK(probe.step(start + 10s) == Step::ask);
  CHECK(probe.step(start + 20s) == Step::reconnect);
  CHECK(probe.unanswered() == 2);
}

TEST_CASE("an answer in time is as good as one at once") {
  RegistrationProbe probe(start, {});
  CHECK(probe.step(start) == Step::ask);
  probe.answered();
  CHECK(probe.step(start + 60s) == Step::ask);
  probe.answered();
  CHECK(probe.step(start + 71s) == Step::wait);
  CHECK(probe.step(start + 120s) == Step::ask);
}

TEST_CASE("who is asked often has no longer to answer than until the next question") {
  RegistrationProbe probe(start, {2s, 10s});
  CHECK(probe.step(start) == Step::ask);
  probe.answered();
  CHECK(probe.step(start + 2s) == Step::ask);
  CHECK(probe.step(start + 4s) == Step::ask);
  CHECK(probe.step(start + 6s) == Step::reconnect);
}
