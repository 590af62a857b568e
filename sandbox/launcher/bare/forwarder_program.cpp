// The process that carries loopback ports as a program of its own: static, no libc, embedded into
// the agent (program_images) and executed from a sealed memory file.
#include "sandbox/launcher/bare/forwarder.hpp"
#include "sandbox/launcher/bare/program_start.hpp"

void satellite::sandbox::bare::run_program() {
  run_forwarder(forwarder_fd_socket);
}
