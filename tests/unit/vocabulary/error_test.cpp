#include "protocol/vocabulary/error.hpp"

#include <catch2/catch.hpp>
#include <cerrno>
#include <string>
#include <tuple>

using namespace satellite;

TEST_CASE("every error code has its own word") {
  const auto [code, word] = GENERATE(table<ErrorCode, std::string>({
      {ErrorCode::invalid_input, "invalid_input"},
      {ErrorCode::not_permitted, "not_permitted"},
      {ErrorCode::not_found, "not_found"},
      {ErrorCode::unsupported, "unsupported"},
      {ErrorCode::limit_exceeded, "limit_exceeded"},
      {ErrorCode::unavailable, "unavailable"},
      {ErrorCode::timed_out, "timed_out"},
      {ErrorCode::cancelled, "cancelled"},
      {ErrorCode::io_failed, "io_failed"},
      {ErrorCode::internal, "internal"},
  }));
  CHECK(name_of(code) == word);
}

TEST_CASE("a failed system call becomes a code to branch on") {
  const auto [error_number, code] = GENERATE(table<int, ErrorCode>({
      {EACCES, ErrorCode::not_permitted},
      {EPERM, ErrorCode::not_permitted},
      {ENOENT, ErrorCode::not_found},
      {ENOSYS, ErrorCode::unsupported},
      {ENOSPC, ErrorCode::limit_exceeded},
      {EMFILE, ErrorCode::limit_exceeded},
      {ECONNREFUSED, ErrorCode::unavailable},
      {ETIMEDOUT, ErrorCode::timed_out},
      {ECANCELED, ErrorCode::cancelled},
      {EINVAL, ErrorCode::invalid_input},
      {EIO, ErrorCode::io_failed},
  }));
  CHECK(error_from_errno("open", error_number).code == code);
}

TEST_CASE("a failed system call names the call, the object and the number") {
  const Error error = error_from_errno("open /etc/nothing", ENOENT);
  CHECK(error.message == "open /etc/nothing: No such file or directory (errno 2)");
  CHECK(error_from_errno("call", 99'999).message == "call: unknown error (errno 99999)");
}
