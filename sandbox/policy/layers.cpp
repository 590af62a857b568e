#include "sandbox/policy/layers.hpp"

namespace satellite::sandbox {
namespace {

bool EnforcedLayers::*member_of(Layer layer) {
  switch (layer) {
    case Layer::resources:
      return &EnforcedLayers::resources;
    case Layer::filesystem:
      return &EnforcedLayers::filesystem;
    case Layer::network:
      return &EnforcedLayers::network;
    case Layer::privilege:
      return &EnforcedLayers::privilege;
  }
  return &EnforcedLayers::resources;
}

}  // namespace

std::string_view name_of(Layer layer) {
  switch (layer) {
    case Layer::resources:
      return "resources";
    case Layer::filesystem:
      return "filesystem";
    case Layer::network:
      return "network";
    case Layer::privilege:
      return "privilege";
  }
  return "resources";
}

bool EnforcedLayers::holds(Layer layer) const {
  return this->*member_of(layer);
}

void EnforcedLayers::set(Layer layer, bool is_enforced) {
  this->*member_of(layer) = is_enforced;
}

}  // namespace satellite::sandbox
