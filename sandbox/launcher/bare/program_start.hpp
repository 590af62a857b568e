#pragma once

namespace satellite::sandbox::bare {

/// What a freestanding program does from its first instruction on; each has its own.
[[noreturn]] void run_program();

}  // namespace satellite::sandbox::bare
