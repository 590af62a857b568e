#pragma once

namespace satellite::agent {

/// Gives back what only the start of the program needed: free heap, and the mappings of code that
/// ran once. Code that is needed again is mapped again from the page cache, a few microseconds for
/// sixteen pages.
/// Source: madvise(2) MADV_DONTNEED, malloc_trim(3).
void give_back_start_memory();

}  // namespace satellite::agent
