#pragma once

#include <chrono>
#include <optional>
#include <string_view>

namespace satellite::agent {

/// The Retry-After header of an HTTP answer -> how long to wait. Pure.
///
/// Shape:  seconds or an HTTP date (RFC 9110 10.2.3), held within 1 s and 15 min: a peer may ask
///         for patience, not for our absence.
/// Errors: nothing for text that is neither.
std::optional<std::chrono::seconds> parse_retry_after(std::string_view text,
                                                      std::chrono::system_clock::time_point now);

/// `Sun, 06 Nov 1994 08:49:37 GMT` (RFC 9110 5.6.7, the form that is sent) -> that moment. Pure.
std::optional<std::chrono::system_clock::time_point> parse_http_date(std::string_view text);

}  // namespace satellite::agent
