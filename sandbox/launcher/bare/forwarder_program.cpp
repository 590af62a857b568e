// The process that carries loopback ports as a program of its own: static, no libc, embedded into
// the agent (program_images) and executed from a sealed memory file.
#include "sandbox/launcher/bare/forwarder.hpp"

extern "C" {
// The kernel starts us with an aligned stack and no return address, which is not how x86_64
// functions expect to be entered.
#if defined(__x86_64__)
[[noreturn, gnu::force_align_arg_pointer]] void _start();
#else
[[noreturn]] void _start();
#endif

void _start() {
  satellite::sandbox::bare::run_forwarder(satellite::sandbox::forwarder_fd_socket);
}
}
