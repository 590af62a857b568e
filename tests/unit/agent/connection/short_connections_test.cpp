#include "agent/connection/short_connections.hpp"

#include <catch2/catch.hpp>

using namespace satellite::agent;
using namespace std::chrono_literals;

TEST_CASE("three accepted connections in a row that did not last are a pattern") {
  const EndedConnection brief{ConnectionEnd::lost, 2s, {}},
      long_lived{ConnectionEnd::lost, 60s, {}}, unreachable{},
      refreshed{ConnectionEnd::refreshed, 30s, {}};
  ShortConnections connections;
  CHECK_FALSE(connections.note(brief));
  CHECK_FALSE(connections.note(brief));
  // A core that is not there between them changes nothing.
  CHECK_FALSE(connections.note(unreachable));
  CHECK(connections.note(brief));
  CHECK(connections.note(unreachable));
  CHECK_FALSE(connections.note(long_lived));
  CHECK_FALSE(connections.note(brief));
  CHECK_FALSE(connections.note(brief));
  CHECK_FALSE(connections.note(refreshed));
  CHECK_FALSE(connections.note(brief));
}
