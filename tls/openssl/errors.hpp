#pragma once

#include "protocol/vocabulary/error.hpp"

#include <string>
#include <string_view>

namespace satellite::tls {

/// OpenSSL's queue of reasons as one Error, `what` first; the queue is empty afterwards.
///
/// Shape: `what: reason; reason`, at most four reasons: the first is the cause, the rest is the way
///        it took.
Error error_from_openssl(ErrorCode code, std::string_view what);

/// The reasons alone, for errors that wrap them in their own words.
std::string take_openssl_reasons();

}  // namespace satellite::tls
