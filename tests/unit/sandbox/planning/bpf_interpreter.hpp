#pragma once

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <cstdint>
#include <cstring>
#include <optional>
#include <vector>

namespace satellite::sandbox::test {

/// What the kernel would answer to one system call under `program`; nothing = the program is
/// broken: it runs off its end, reads outside the data or holds an unknown instruction.
inline std::optional<std::uint32_t> interpret(const std::vector<sock_filter>& program,
                                              const seccomp_data& data) {
  std::uint32_t accumulator = 0;
  for (std::size_t at = 0; at < program.size(); ++at) {
    const sock_filter& now = program[at];
    const auto branch = [&](bool taken) { at += taken ? now.jt : now.jf; };
    switch (now.code) {
      case BPF_LD | BPF_W | BPF_ABS:
        if (now.k % 4 != 0 || now.k + 4 > sizeof(data)) return std::nullopt;
        std::memcpy(&accumulator, reinterpret_cast<const char*>(&data) + now.k, 4);
        break;
      case BPF_ALU | BPF_AND | BPF_K:
        accumulator &= now.k;
        break;
      case BPF_JMP | BPF_JA:
        at += now.k;
        break;
      case BPF_JMP | BPF_JEQ | BPF_K:
        branch(accumulator == now.k);
        break;
      case BPF_JMP | BPF_JGE | BPF_K:
        branch(accumulator >= now.k);
        break;
      case BPF_JMP | BPF_JSET | BPF_K:
        branch((accumulator & now.k) != 0);
        break;
      case BPF_RET | BPF_K:
        return now.k;
      default:
        return std::nullopt;
    }
  }
  return std::nullopt;
}

}  // namespace satellite::sandbox::test
