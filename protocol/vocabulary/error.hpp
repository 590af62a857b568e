#pragma once

#include <string>
#include <string_view>

namespace satellite {

/// Why something expected went wrong. Ten words serve all folders: callers branch on the code,
/// people read the message.
enum class ErrorCode {
  invalid_input,   ///< what we were given breaks its rules
  not_permitted,   ///< the kernel, the peer or the operator said no
  not_found,       ///< the named thing is not there
  unsupported,     ///< this host or this build cannot do it
  limit_exceeded,  ///< a bound of ours was reached
  unavailable,     ///< not now: the peer is away, the resource is used up
  timed_out,       ///< a deadline passed
  cancelled,       ///< somebody asked us to stop
  io_failed,       ///< a read or a write failed
  internal,        ///< we are wrong ourselves
};

/// One expected failure.
///
/// Shape:  a code to branch on and one sentence for a person: what, where, remedy.
/// Errors: none of its own; never holds a secret.
struct Error {
  ErrorCode code = ErrorCode::internal;
  std::string message;
  int error_number = 0;  ///< the kernel's, where a system call failed

  bool operator==(const Error&) const = default;
};

/// The fixed word of a code, as it appears in logs: `invalid_input`, `timed_out`, …
std::string_view name_of(ErrorCode code);

/// An Error for a failed system call: the call, its object and strerror of `error_number`.
Error error_from_errno(std::string_view what, int error_number);

}  // namespace satellite
