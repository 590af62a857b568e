#include "agent/connection/short_connections.hpp"

#include <array>
#include <catch2/catch.hpp>

using namespace satellite::agent;
using namespace std::chrono_literals;

TEST_CASE("three that the core closed by a code of its own say that another one has this id") {
  const auto closed = [](std::uint16_t code) {
    return EndedConnection{ConnectionEnd::lost, 2s, {}, code};
  };
  const std::uint16_t code = GENERATE(as<std::uint16_t>{}, 1008, 4000, 4409, 4999);
  ShortConnections connections;
  CHECK(connections.note(closed(code)) == ConnectionPattern::none);
  CHECK(connections.note(closed(code)) == ConnectionPattern::none);
  CHECK(connections.note(closed(code)) == ConnectionPattern::displaced);
  CHECK(connections.note({}) == ConnectionPattern::displaced);
  // What a core says when it restarts or fails, and what every library says, is no such word.
  for (const std::uint16_t other :
       std::array<std::uint16_t, 7>{1000, 1001, 1011, 1012, 1013, 3000, 5000}) {
    CHECK(connections.note(closed(other)) == ConnectionPattern::unstable);
    CHECK(connections.note(closed(code)) == ConnectionPattern::unstable);
    CHECK(connections.note(closed(code)) == ConnectionPattern::unstable);
  }
  CHECK(connections.note(closed(code)) == ConnectionPattern::displaced);
  CHECK(connections.note({ConnectionEnd::lost, 60s, {}}) == ConnectionPattern::none);
}

TEST_CASE("three accepted connections in a row that did not last are a pattern") {
  const EndedConnection brief{ConnectionEnd::lost, 2s, {}},
      long_lived{ConnectionEnd::lost, 60s, {}}, unreachable{},
      refreshed{ConnectionEnd::refreshed, 30s, {}};
  ShortConnections connections;
  CHECK(connections.note(brief) == ConnectionPattern::none);
  CHECK(connections.note(brief) == ConnectionPattern::none);
  // A core that is not there between them changes nothing.
  CHECK(connections.note(unreachable) == ConnectionPattern::none);
  CHECK(connections.note(brief) == ConnectionPattern::unstable);
  CHECK(connections.note(unreachable) == ConnectionPattern::unstable);
  CHECK(connections.note(long_lived) == ConnectionPattern::none);
  CHECK(connections.note(brief) == ConnectionPattern::none);
  CHECK(connections.note(brief) == ConnectionPattern::none);
  CHECK(connections.note(refreshed) == ConnectionPattern::none);
  CHECK(connections.note(brief) == ConnectionPattern::none);
}
