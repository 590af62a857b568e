#include "agent/runtime/start_memory.hpp"

#include <link.h>
#include <malloc.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace satellite::agent {
namespace {

/// Only segments that can be executed and not written: they are as they are in the file, so that
/// nothing is lost with a page. What was relocated lies in others.
int drop_code(dl_phdr_info* object, std::size_t, void*) {
  // The kernel's own, which has no file.
  if (std::string_view(object->dlpi_name).find("linux-vdso") != std::string_view::npos) return 0;
  const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
  for (std::size_t i = 0; i < object->dlpi_phnum; ++i) {
    const ElfW(Phdr)& segment = object->dlpi_phdr[i];
    const bool is_code =
        segment.p_type == PT_LOAD && (segment.p_flags & PF_X) != 0 && (segment.p_flags & PF_W) == 0;
    if (!is_code) continue;
    const std::uintptr_t from = (object->dlpi_addr + segment.p_vaddr) & ~(page - 1);
    const std::uintptr_t until = object->dlpi_addr + segment.p_vaddr + segment.p_memsz;
    ::madvise(reinterpret_cast<void*>(from), until - from, MADV_DONTNEED);
  }
  return 0;
}

}  // namespace

void give_back_start_memory() {
  ::malloc_trim(0);
  ::dl_iterate_phdr(drop_code, nullptr);
}

}  // namespace satellite::agent
