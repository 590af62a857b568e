#pragma once

namespace satellite::tests {

/// Whether ASan or TSan is compiled in. Their allocators keep what was freed for a while, and their
/// shadow memory is reserved in mappings of terabytes.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool has_sanitizer = true;
#else
constexpr bool has_sanitizer = false;
#endif

/// Whether TSan is compiled in. What it observes takes ten times as long, and the child in which a
/// wrapper program is started crashes: it shares the launcher's memory until it executes, without a
/// state of TSan's of its own.
#if defined(__SANITIZE_THREAD__)
constexpr bool has_thread_sanitizer = true;
#else
constexpr bool has_thread_sanitizer = false;
#endif

}  // namespace satellite::tests
