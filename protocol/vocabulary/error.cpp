#include "protocol/vocabulary/error.hpp"

#include <cerrno>
#include <cstring>

namespace satellite {

std::string_view name_of(ErrorCode code) {
  switch (code) {
    case ErrorCode::invalid_input:
      return "invalid_input";
    case ErrorCode::not_permitted:
      return "not_permitted";
    case ErrorCode::not_found:
      return "not_found";
    case ErrorCode::unsupported:
      return "unsupported";
    case ErrorCode::limit_exceeded:
      return "limit_exceeded";
    case ErrorCode::unavailable:
      return "unavailable";
    case ErrorCode::timed_out:
      return "timed_out";
    case ErrorCode::cancelled:
      return "cancelled";
    case ErrorCode::io_failed:
      return "io_failed";
    case ErrorCode::internal:
      return "internal";
  }
  return "internal";
}

namespace {

ErrorCode code_of_errno(int error_number) {
  switch (error_number) {
    case EACCES:
    case EPERM:
    case EROFS:
      return ErrorCode::not_permitted;
    case ENOENT:
    case ESRCH:
      return ErrorCode::not_found;
    case ENOSYS:
    case EOPNOTSUPP:
      return ErrorCode::unsupported;
    case E2BIG:
    case EMFILE:
    case ENFILE:
    case ENOSPC:
    case EMSGSIZE:
      return ErrorCode::limit_exceeded;
    case EAGAIN:
    case EADDRINUSE:
    case ECONNREFUSED:
    case ECONNRESET:
    case EPIPE:
      return ErrorCode::unavailable;
    case ETIMEDOUT:
      return ErrorCode::timed_out;
    case ECANCELED:
      return ErrorCode::cancelled;
    case EINVAL:
      return ErrorCode::invalid_input;
    default:
      return ErrorCode::io_failed;
  }
}

}  // namespace

Error error_from_errno(std::string_view what, int error_number) {
  std::string message(what);
  message += ": ";
  // strerrordesc_np is thread safe and knows no locale; glibc 2.32.
  const char* description = ::strerrordesc_np(error_number);
  message += description != nullptr ? description : "unknown error";
  message += " (errno " + std::to_string(error_number) + ")";
  return Error{code_of_errno(error_number), std::move(message), error_number};
}

}  // namespace satellite
