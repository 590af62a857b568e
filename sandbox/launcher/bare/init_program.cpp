// The init of a run as a program of its own, for wrappers that must execute something: static, no
// libc, embedded into the agent (program_images) and handed over as a sealed memory file.
#include "sandbox/launcher/bare/init.hpp"

extern "C" {
// The kernel starts us with an aligned stack and no return address, which is not how x86_64
// functions expect to be entered.
#if defined(__x86_64__)
[[noreturn, gnu::force_align_arg_pointer]] void _start();
#else
[[noreturn]] void _start();
#endif

void _start() {
  satellite::sandbox::bare::run_init();
}
}
