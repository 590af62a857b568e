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

extern "C" {
extern const char satellite_init_image_start[];
extern const char satellite_init_image_end[];
}

namespace satellite::sandbox {

std::string_view init_image() {
  return {satellite_init_image_start, satellite_init_image_end};
}

}  // namespace satellite::sandbox
