#include "sandbox/launcher/process/init_image.hpp"

// SATELLITE_INIT_PROGRAM is the path of the linked init program; the build makes it first.
__asm__(
    ".pushsection .rodata\n"
    ".balign 16\n"
    "satellite_init_image_start:\n"
    ".incbin \"" SATELLITE_INIT_PROGRAM
    "\"\n"
    "satellite_init_image_end:\n"
    ".byte 0\n"
    ".popsection\n");

// Hidden, so that they are reached by their distance: on aarch64 ld 2.40 has one entry in its table
// of addresses for both labels of a file, between which nothing would lie then.
extern "C" {
[[gnu::visibility("hidden")]] extern const char satellite_init_image_start[];
[[gnu::visibility("hidden")]] extern const char satellite_init_image_end[];
}

namespace satellite::sandbox {

std::string_view init_image() {
  return {satellite_init_image_start, satellite_init_image_end};
}

}  // namespace satellite::sandbox
