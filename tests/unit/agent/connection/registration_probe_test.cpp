#include "agent/connection/registration_probe.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <vector>

using namespace satellite::agent;
using namespace std::chrono_literals;
using Step = RegistrationProbe::Step;

namespace {

constexpr RegistrationProbe::Time first_look{1h};

}  // namespace

TEST_CASE("a core that answers is asked every minute, two unanswered questions mean a lost way") {
  RegistrationProbe probe(first_look, {});
  CHECK(probe.step(first_look) == Step::ask);
  CHECK(probe.step(first_look + 1s) == Step::wait);
  probe.answered();
  CHECK(probe.step(first_look + 2s) == Step::wait);
  CHECK(probe.next() == first_look + 60s);
  CHECK(probe.step(first_look + 60s) == Step::ask);
  CHECK(probe.step(first_look + 69s) == Step::wait);
  CHECK(probe.step(first_look + 70s) == Step::ask);
  CHECK(probe.step(first_look + 79s) == Step::wait);
  CHECK(probe.step(first_look + 80s) == Step::reconnect);
}

TEST_CASE("one slow answer is no lost way") {
  RegistrationProbe probe(first_look, {});
  CHECK(probe.step(first_look) == Step::ask);
  probe.answered();
  CHECK(probe.step(first_look + 60s) == Step::ask);
  CHECK(probe.step(first_look + 70s) == Step::ask);
  // The answer to the first of the two, after 11 s.
  probe.answered();
  CHECK(probe.unanswered() == 0);
  CHECK(probe.step(first_look + 80s) == Step::wait);
  CHECK(probe.step(first_look + 130s) == Step::ask);
}

TEST_CASE("a core that does not answer is not left, and is asked again ever more seldom") {
  RegistrationProbe probe(first_look, {});
  std::vector<std::chrono::seconds> asked;
  for (RegistrationProbe::Time now = first_look; now < first_look + 5h;) {
    const Step step = probe.step(now);
    REQUIRE(step != Step::reconnect);
    if (step == Step::ask)
      asked.push_back(std::chrono::duration_cast<std::chrono::seconds>(now - first_look));
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
  RegistrationProbe probe(first_look, {});
  CHECK(probe.step(first_look) == Step::ask);
  CHECK(probe.step(first_look + 10s) == Step::wait);
  probe.answered();
  CHECK(probe.answered_here());
  CHECK(probe.step(first_look + 60s) == Step::ask);
  CHECK(probe.step(first_look + 70s) == Step::ask);
  CHECK(probe.step(first_look + 80s) == Step::reconnect);
}

TEST_CASE("a core that answered on an earlier connection may have lost the way at once") {
  RegistrationProbe::Settings settings;
  settings.core_answers = true;
  RegistrationProbe probe(first_look, settings);
  CHECK(probe.step(first_look) == Step::ask);
  CHECK(probe.step(first_look + 10s) == Step::ask);
  CHECK(probe.step(first_look + 20s) == Step::reconnect);
  CHECK(probe.unanswered() == 2);
}

TEST_CASE("an answer in time is as good as one at once") {
  RegistrationProbe probe(first_look, {});
  CHECK(probe.step(first_look) == Step::ask);
  probe.answered();
  CHECK(probe.step(first_look + 60s) == Step::ask);
  probe.answered();
  CHECK(probe.step(first_look + 71s) == Step::wait);
  CHECK(probe.step(first_look + 120s) == Step::ask);
}

TEST_CASE("who is asked often has no longer to answer than until the next question") {
  RegistrationProbe probe(first_look, {2s, 10s});
  CHECK(probe.step(first_look) == Step::ask);
  probe.answered();
  CHECK(probe.step(first_look + 2s) == Step::ask);
  CHECK(probe.step(first_look + 4s) == Step::ask);
  CHECK(probe.step(first_look + 6s) == Step::reconnect);
}
