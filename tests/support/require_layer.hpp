#pragma once

#include <string_view>

namespace satellite::tests {

/// Whether this host has what a test needs. If not, says so visibly, and the test returns:
///
///     if (!require_layer("cgroup", bench.facts.cgroup_memory, reason)) return;
///
/// Shape:  a test program in which nothing but skipped tests ran ends with 77. The environment's
///         MUST_WORK=layer,layer turns the skip of a named layer into a failure.
[[nodiscard]] bool require_layer(std::string_view layer, bool available, std::string_view reason);

/// The same for one part of a test whose other parts run: the test does not count as skipped.
[[nodiscard]] bool require_part(std::string_view layer, bool available, std::string_view reason);

/// Whether MUST_WORK names the layer: for tests that go on without it and look at the report.
bool must_work(std::string_view layer);

/// How many tests were skipped so far.
int skipped_tests();

}  // namespace satellite::tests
