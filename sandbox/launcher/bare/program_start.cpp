// What libc would bring along for a freestanding program.
#include "sandbox/launcher/bare/program_start.hpp"

#include <cstddef>

extern "C" {
// g++ may turn loops and struct copies into these calls even in such a program.
void* memset(void* target, int value, std::size_t size) {
  auto* bytes = static_cast<volatile unsigned char*>(target);
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<unsigned char>(value);
  return target;
}

void* memcpy(void* target, const void* source, std::size_t size) {
  auto* to = static_cast<volatile unsigned char*>(target);
  const auto* from = static_cast<const unsigned char*>(source);
  for (std::size_t i = 0; i < size; ++i) to[i] = from[i];
  return target;
}

// The kernel starts us with an aligned stack and no return address, which is not how x86_64
// functions expect to be entered.
#if defined(__x86_64__)
[[noreturn, gnu::force_align_arg_pointer]] void _start();
#else
[[noreturn]] void _start();
#endif

void _start() {
  satellite::sandbox::bare::run_program();
}
}
