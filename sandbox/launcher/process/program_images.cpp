#include "sandbox/launcher/process/program_images.hpp"

// The macros are the paths of linked programs; the build makes these first.
#define SATELLITE_INCLUDE_PROGRAM(label, path) \
  __asm__(                                     \
      ".pushsection .rodata\n"                 \
      ".balign 16\n" label                     \
      "_start:\n"                              \
      ".incbin \"" path "\"\n" label           \
      "_end:\n"                                \
      ".byte 0\n"                              \
      ".popsection\n")

SATELLITE_INCLUDE_PROGRAM("satellite_init_image", SATELLITE_INIT_PROGRAM);
SATELLITE_INCLUDE_PROGRAM("satellite_forwarder_image", SATELLITE_FORWARDER_PROGRAM);

// Hidden, so that they are reached by their distance: on aarch64 ld 2.40 has one entry in its table
// of addresses for both labels of a file, between which nothing would lie then.
extern "C" {
[[gnu::visibility("hidden")]] extern const char satellite_init_image_start[];
[[gnu::visibility("hidden")]] extern const char satellite_init_image_end[];
[[gnu::visibility("hidden")]] extern const char satellite_forwarder_image_start[];
[[gnu::visibility("hidden")]] extern const char satellite_forwarder_image_end[];
}

namespace satellite::sandbox {

std::string_view init_image() {
  return {satellite_init_image_start, satellite_init_image_end};
}

std::string_view forwarder_image() {
  return {satellite_forwarder_image_start, satellite_forwarder_image_end};
}

}  // namespace satellite::sandbox
