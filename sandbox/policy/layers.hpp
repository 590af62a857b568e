#pragma once

#include <string>
#include <string_view>

namespace satellite::sandbox {

/// The four layers of a sandbox, in the words of policy and report.
enum class Layer { resources, filesystem, network, privilege };
std::string_view name_of(Layer layer);

/// One yes or no for each layer.
struct EnforcedLayers {
  bool resources = false, filesystem = false, network = false, privilege = false;
  bool operator==(const EnforcedLayers&) const = default;

  bool holds(Layer layer) const;
  void set(Layer layer, bool is_enforced);
};

/// What a policy asks of a layer and a run does not get. Refuses the run where the policy says
/// `fail`.
struct Downgrade {
  Layer layer = Layer::resources;
  std::string reason;
};

/// What an operator should know about a layer. Refuses nothing.
struct Note {
  Layer layer = Layer::resources;
  std::string note;
  bool is_standing = false;  ///< holds for every run under this policy on this host
  bool operator==(const Note&) const = default;
};

}  // namespace satellite::sandbox
