# A toolchain for aarch64 on a host of another architecture: Debian's cross compiler with Debian's
# packages for arm64, which `sysroot` has unpacked beside the build folders.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_SYSROOT ${CMAKE_CURRENT_LIST_DIR}/../../build/sysroot-arm64)
cmake_path(NORMAL_PATH CMAKE_SYSROOT)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)
set(CMAKE_LIBRARY_ARCHITECTURE aarch64-linux-gnu)

# The C and C++ libraries of those packages come before the compiler's own, which get no security updates.
# Headers are named by the places that they have in a system.
string(JOIN " " CMAKE_CXX_FLAGS_INIT
  "-B${CMAKE_SYSROOT}/usr/lib/aarch64-linux-gnu" "-B${CMAKE_SYSROOT}/usr/lib/gcc/aarch64-linux-gnu/12"
  "-ffile-prefix-map=${CMAKE_SYSROOT}=")

set(CMAKE_FIND_ROOT_PATH ${CMAKE_SYSROOT})
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
set(CMAKE_CROSSCOMPILING_EMULATOR qemu-aarch64-static)
