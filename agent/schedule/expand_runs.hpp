#pragma once

#include "agent/schedule/timetable.hpp"
#include "protocol/core_messages.hpp"

#include <memory>
#include <vector>

namespace satellite::agent {

/// One assignment -> one run per environment, or a single one without. Pure.
/// Source: core-contract 2.2.
std::vector<PlannedRun> expand_runs(std::shared_ptr<const protocol::Assignment> assignment);

}  // namespace satellite::agent
