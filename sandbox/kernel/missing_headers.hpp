#pragma once

namespace satellite::sandbox::kernel {

/// Constants of kernels newer than the headers that we are built with.

// linux/memfd.h, since Linux 6.3; Debian 12 has the headers of 6.1.
constexpr unsigned memfd_noexec_seal = 0x0008U;
constexpr unsigned memfd_exec = 0x0010U;

}  // namespace satellite::sandbox::kernel
