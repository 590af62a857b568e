#pragma once

#include "sandbox/hints/hints.hpp"
#include "sandbox/host/host_view.hpp"
#include "sandbox/planning/host_paths.hpp"

namespace satellite::sandbox {

/// The grants that would show a script what its text and its messages ask for, as far as there are
/// grants for it and this host has it.
///
/// Shape:  pure; `host` answers. A proposal for an operator to read, never taken by itself: the
///         script chooses what it asks for. Nothing that the operator's settings refuse is in it.
HostView propose_grants(const HintInputs& inputs, const HostPaths& host);

}  // namespace satellite::sandbox
