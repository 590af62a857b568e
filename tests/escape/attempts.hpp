#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace satellite::tests {

/// What the kernel must say: the name of an errno or `ok`; with a root launcher and with an
/// unprivileged one, where that differs. `a|b` allows either, where kernels or hosts differ.
struct Expected {
  std::string_view as_root, as_user;
  constexpr Expected(const char* both) : as_root(both), as_user(both) {}
  constexpr Expected(const char* root, const char* user) : as_root(root), as_user(user) {}
};

/// Where the same attempt is shown with the layer off.
enum class Off {
  engine,     ///< a run without an engine: the report says that filesystem and network are open
  network,    ///< a run with the host's network: the report says that the network is open
  room,       ///< as root of a throw-away user namespace (open_room.hpp)
  plainly,    ///< as an unprivileged user of the host
  impossible  ///< not even root of a room may: the words say why
};

struct Control {
  Off where;
  Expected expected;
  std::string_view words;  ///< empty: the same as the attempt's
};

/// One attempt to get out, by its number in the list of attempts.
struct Attempt {
  std::string_view number;
  std::string_view layer;  ///< which layer stops it, as in MUST_WORK
  std::string_view words;
  Expected bwrap;   ///< under bubblewrap, which builds the same view by its own means
  Expected native;  ///< under the engine of our own
  Control control;
  std::optional<Expected> nsjail{};  ///< under nsjail, where it is as under neither of the others
};

/// Runs every attempt under every engine of this host, and its control. An attempt whose layer an
/// engine does not have is still made: the answer is pinned, and the report must not claim the
/// layer.
void run_attempts(const std::vector<Attempt>& attempts);

}  // namespace satellite::tests
