#pragma once

#include "sandbox/launcher/bare/init_block.hpp"
#include "sandbox/launcher/wire/byte_codec.hpp"
#include "sandbox/planning/file_step.hpp"

#include <optional>

namespace satellite::sandbox {

/// The native engine's part of a launch order <-> bytes. Pure.
///
/// Errors: reading marks the reader as failed for a step of no kind, a target that is absolute or
///         climbs, more steps, paths or bytes than any plan has, and a fault that is not sound.
void write_native_plan(ByteWriter& out, const std::optional<NativePlan>& plan);
std::optional<NativePlan> read_native_plan(ByteReader& in);

void write_fault(ByteWriter& out, const Fault& fault);
Fault read_fault(ByteReader& in);

}  // namespace satellite::sandbox
