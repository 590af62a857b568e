#pragma once

#include <asm/unistd.h>

namespace satellite::sandbox::bare {

/// What such a child begins with; it must not return.
using BeginOnStack = void (*)(const void* passed);

/// clone(flags, end of the stack, where the pidfd goes) or clone3(arguments, their size) with
/// CLONE_VM.
///
/// Shape:  a process that shares our memory must not return from the call that made it, so that it
///         begins at `begin`, on its own stack, whose end is a multiple of 16. Raw, since glibc has
///         no clone3(2) for a stack, and the init program has no glibc.
/// Errors: the negated errno.
inline long clone_on_stack(long number, long first, long second, BeginOnStack begin,
                           const void* passed, long third = 0) {
#if defined(__x86_64__)
  long result = number;
  register BeginOnStack begin_register __asm__("r8") = begin;
  register const void* passed_register __asm__("r9") = passed;
  __asm__ volatile(
      "syscall\n\t"
      "test %%rax, %%rax\n\t"
      "jnz 1f\n\t"
      "xor %%ebp, %%ebp\n\t"
      "mov %%r9, %%rdi\n\t"
      "call *%%r8\n\t"
      "hlt\n"
      "1:"
      : "+a"(result)
      : "D"(first), "S"(second), "d"(third), "r"(begin_register), "r"(passed_register)
      : "rcx", "r11", "memory");
  return result;
#elif defined(__aarch64__)
  register long number_register __asm__("x8") = number;
  register long result __asm__("x0") = first;
  register long second_register __asm__("x1") = second;
  register long third_register __asm__("x2") = third;
  register BeginOnStack begin_register __asm__("x9") = begin;
  register const void* passed_register __asm__("x10") = passed;
  __asm__ volatile(
      "svc 0\n\t"
      "cbnz x0, 1f\n\t"
      "mov x29, xzr\n\t"
      "mov x30, xzr\n\t"
      "mov x0, x10\n\t"
      "blr x9\n\t"
      "brk 1\n"
      "1:"
      : "+r"(result)
      : "r"(number_register), "r"(second_register), "r"(third_register), "r"(begin_register),
        "r"(passed_register)
      : "memory");
  return result;
#endif
}

}  // namespace satellite::sandbox::bare
