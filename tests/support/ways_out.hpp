#pragma once

#include "tests/support/test_network.hpp"

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace satellite::tests {

/// The ways out of a run's own network, and whose satellite has them. All of them are made by a
/// test that is root: an unprivileged satellite is a child of it.
enum class Way { macvlan_of_root, slirp4netns_of_root, slirp4netns_of_a_user };

std::vector<Way> every_way();
std::vector<Way> every_slirp4netns();
std::string_view name_of(Way way);

/// What `body` returns, run in a child with the rights that belong to the way.
std::string by(Way way, const std::function<std::string()>& body);

/// What a launcher has to be given for the way.
std::optional<sandbox::MacvlanSettings> macvlan_for(Way way, const TestNetwork& network);

/// Whether a test network can be made at all; if not, the skip is told.
bool network_can_be_made();

}  // namespace satellite::tests
