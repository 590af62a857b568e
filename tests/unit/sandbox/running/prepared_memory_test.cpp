#include "sandbox/running/prepared_memory.hpp"

#include <catch2/catch.hpp>
#include <optional>
#include <utility>

using namespace satellite;
using namespace satellite::sandbox;

TEST_CASE("what stands ready has a share of the memory for as long as it stands") {
  PreparedMemory memory(10_MiB);
  CHECK(memory.room_for(3_MiB) == 3);
  {
    PreparedMemory::Share first(memory, 4_MiB);
    PreparedMemory::Share moved(std::move(first));
    CHECK(memory.taken() == 4_MiB);
    CHECK(memory.room_for(3_MiB) == 2);
    moved.resize(9_MiB);
    CHECK(memory.taken() == 9_MiB);
    CHECK(memory.room_for(3_MiB) == 0);
    CHECK_FALSE(memory.is_exceeded());
  }
  CHECK(memory.taken() == 0_B);
}

TEST_CASE("a share that was guessed too low exceeds the memory, and then there is no room") {
  PreparedMemory memory(10_MiB);
  PreparedMemory::Share first(memory, 6_MiB);
  std::optional<PreparedMemory::Share> second;
  second.emplace(memory, 1_MiB);
  second->resize(6_MiB);
  CHECK(memory.is_exceeded());
  CHECK(memory.room_for(1_B) == 0);
  second.reset();
  CHECK_FALSE(memory.is_exceeded());
  CHECK(memory.room_for(1_MiB) == 4);
}

TEST_CASE("without memory nothing may stand ready") {
  const PreparedMemory memory(0_B);
  CHECK(memory.room_for(PreparedMemory::kernel_part) == 0);
}
