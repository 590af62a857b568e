#include "protocol/vocabulary/unique_fd.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <utility>

using namespace satellite;

namespace {

int open_null() {
  return ::open("/dev/null", O_RDONLY | O_CLOEXEC);
}
bool is_open(int fd) {
  return ::fcntl(fd, F_GETFD) >= 0;
}

}  // namespace

TEST_CASE("a descriptor is closed by its one owner") {
  int number = -1;
  {
    const UniqueFd fd(open_null());
    REQUIRE(fd);
    number = fd.get();
    CHECK(is_open(number));
  }
  CHECK_FALSE(is_open(number));
}

TEST_CASE("a moved descriptor has one owner and a released one has none") {
  UniqueFd first(open_null());
  const int number = first.get();
  UniqueFd second(std::move(first));
  CHECK_FALSE(first);
  CHECK(second.get() == number);
  first = std::move(second);
  CHECK(first.get() == number);
  CHECK(first.release() == number);
  CHECK_FALSE(first);
  CHECK(is_open(number));
  const UniqueFd last(number);
}

TEST_CASE("a descriptor replaced by another is closed") {
  UniqueFd fd(open_null());
  const int number = fd.get();
  const int other = open_null();
  fd.reset(other);
  CHECK_FALSE(is_open(number));
  CHECK(is_open(other));
  fd.reset();
  CHECK_FALSE(is_open(other));
}
