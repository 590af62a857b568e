#include "tests/support/ways_out.hpp"

#include "tests/support/in_child.hpp"
#include "tests/support/require_layer.hpp"

#include <unistd.h>

namespace satellite::tests {

std::vector<Way> every_way() {
  return {Way::macvlan_of_root, Way::slirp4netns_of_root, Way::slirp4netns_of_a_user};
}

std::vector<Way> every_slirp4netns() {
  return {Way::slirp4netns_of_root, Way::slirp4netns_of_a_user};
}

std::string_view name_of(Way way) {
  switch (way) {
    case Way::macvlan_of_root:
      return "macvlan of root";
    case Way::slirp4netns_of_root:
      return "slirp4netns of root";
    case Way::slirp4netns_of_a_user:
      break;
  }
  return "slirp4netns of a user";
}

std::string by(Way way, const std::function<std::string()>& body) {
  return way == Way::slirp4netns_of_a_user ? as_uid_65532(body) : in_child(body);
}

std::optional<sandbox::MacvlanSettings> macvlan_for(Way way, const TestNetwork& network) {
  if (way != Way::macvlan_of_root) return std::nullopt;
  return network.macvlan();
}

bool network_can_be_made() {
  return require_layer("root", ::geteuid() == 0, "only root can make a test network");
}

}  // namespace satellite::tests
