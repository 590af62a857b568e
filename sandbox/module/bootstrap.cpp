#include "sandbox/module/bootstrap.hpp"

// SATELLITE_MODULE_BOOTSTRAP is the path of bootstrap.mjs.
__asm__(
    ".pushsection .rodata\n"
    "satellite_module_bootstrap_start:\n"
    ".incbin \"" SATELLITE_MODULE_BOOTSTRAP
    "\"\n"
    "satellite_module_bootstrap_end:\n"
    ".byte 0\n"
    ".popsection\n");

// Hidden, so that they are reached by their distance: on aarch64 ld 2.40 has one entry in its table
// of addresses for both labels of a file, between which nothing would lie then.
extern "C" {
[[gnu::visibility("hidden")]] extern const char satellite_module_bootstrap_start[];
[[gnu::visibility("hidden")]] extern const char satellite_module_bootstrap_end[];
}

namespace satellite::sandbox {

std::string_view module_bootstrap() {
  return {satellite_module_bootstrap_start, satellite_module_bootstrap_end};
}

}  // namespace satellite::sandbox
