#pragma once

#include <initializer_list>

namespace satellite::tests {

// System calls that fail for the calling process and all its children, as on a kernel or in a
// container that does not have them: a filter, so nothing of the product changes. For good: only
// in a child (in_child.hpp). Errors: throws when the kernel takes no filter.

/// Calls by their numbers; what they would do is not done.
void fail_calls(std::initializer_list<long> numbers, int error_number);

/// All calls from this number on, as on a kernel that is older than they are.
void fail_calls_from(long number, int error_number);
constexpr long first_call_after_5_9 = 440;  // process_madvise(2), Linux 5.10

/// Nothing can be asked of the packet filter, as where nf_tables is missing.
void fail_packet_filter_sockets(int error_number);

}  // namespace satellite::tests
