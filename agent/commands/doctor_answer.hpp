#pragma once

#include "agent/commands/examination.hpp"
#include "agent/commands/mending.hpp"

#include <optional>
#include <ostream>
#include <string>
#include <vector>

namespace satellite::agent {

/// Nothing = nobody asked for commands.
using AskedMends = std::optional<std::vector<Mend>>;

/// The examination for people, with the verdict as its last line.
void print_examination(std::ostream& out, const Examination& seen, const AskedMends& mends);

/// The same as one JSON object; its keys are an interface.
std::string examination_json(const Examination& seen, const AskedMends& mends);

}  // namespace satellite::agent
