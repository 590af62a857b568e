// The init of a run as a program of its own, for wrappers that must execute something: static, no
// libc, embedded into the agent (program_images) and handed over as a sealed memory file.
#include "sandbox/launcher/bare/init.hpp"
#include "sandbox/launcher/bare/program_start.hpp"

void satellite::sandbox::bare::run_program() {
  run_init();
}
