#pragma once

#include "sandbox/launcher/wire/launch_order.hpp"
#include "sandbox/launcher/wire/posture.hpp"
#include "sandbox/report/report.hpp"

#include <string>

namespace satellite::sandbox {

/// What was read about one layer, for a person: `Uid 65532 65532 65532 65532, groups none, …`.
/// Pure.
std::string evidence_of(Layer layer, const Posture& posture);

/// The report of a run that started: the promise, with evidence for each layer; a layer that the
/// posture does not show is not reported as enforced, whatever was promised. Pure.
EffectiveSandbox effective_from(const EffectiveSandbox& promise, const Expectation& expectation,
                                const Posture& posture);

}  // namespace satellite::sandbox
