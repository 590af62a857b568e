#include "sandbox/planning/plan.hpp"

namespace satellite::sandbox {

std::string_view name_of(Egress egress) {
  switch (egress) {
    case Egress::host:
      return "host";
    case Egress::routeless:
      return "routeless";
    case Egress::macvlan:
      return "macvlan";
    case Egress::slirp4netns:
      return "slirp4netns";
  }
  return "host";
}

}  // namespace satellite::sandbox
