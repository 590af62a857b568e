#pragma once

#include "sandbox/policy/layers.hpp"
#include "sandbox/policy/policy.hpp"

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace satellite::sandbox {

enum class LayerState { enforced, degraded, absent, not_requested };
std::string_view name_of(LayerState state);

/// One layer of one run: what was asked, what is, by which mechanism, and what was read as proof.
struct LayerReport {
  Layer layer = Layer::resources;
  bool required = false;
  LayerState state = LayerState::absent;
  std::string mechanism;
  std::string evidence;
  std::string lacks{};  ///< what the policy asks of this layer and nothing keeps; empty = nothing
};

/// What the sandbox really did for one run.
///
/// Shape:  the reference satellite's `EffectiveSandbox` plus `engine` and `layers`
///         (dispatch-extension "Report"). Built from what was measured on the stopped child, never
///         from intention.
struct EffectiveSandbox {
  Policy requested;
  EnforcedLayers enforced;
  std::vector<Downgrade> downgrades;
  std::vector<Note> notes;
  std::string platform = "linux";
  std::string engine = "none";
  std::vector<LayerReport> layers;
  std::string runtime{};  ///< of a module: which program runs it; else empty
  /// What the operator showed of the host beyond what every script sees, one entry each.
  std::vector<std::string> grants{};
  /// Why the script's answer may be the sandbox's and not the host's; mostly empty.
  std::vector<std::string> hints{};
};

nlohmann::json to_json(const EnforcedLayers& layers);
nlohmann::json to_json(const EffectiveSandbox& report);

/// `sandbox unavailable: <layer>: <reason>; …`, the text of a refusal (core-contract 3.4).
std::string refusal_text(const std::vector<Downgrade>& downgrades);

/// One readable line: `engine=bwrap resources=enforced filesystem=enforced …`.
std::string summary_line(const EffectiveSandbox& report);

}  // namespace satellite::sandbox
