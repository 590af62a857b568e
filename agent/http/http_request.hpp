#pragma once

#include "protocol/vocabulary/byte_count.hpp"

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace satellite::agent {

/// What somebody asks for over HTTP; what he sends beside that means nothing here.
struct HttpRequest {
  bool wants_body = true;  ///< GET; HEAD wants none
  std::string path;        ///< without query
  std::string host;        ///< of its Host header, without port, lower case; empty = none
};

/// The head of a request, as far as it has come. Pure.
///
/// Shape:  HTTP/1.0 and 1.1, GET and HEAD. A request with a body is answered and the body not read.
/// Errors: `status` is the answer to one that is none of these: 400, 405, 431, 505.
/// Source: RFC 9112.
struct ParsedRequest {
  enum class State { incomplete, complete, wrong };
  State state = State::incomplete;
  HttpRequest request;
  unsigned status = 0;
};

constexpr std::size_t http_head_size_max = 8'192;
ParsedRequest parse_http_request(std::string_view bytes);

/// The whole answer; the connection is closed behind it.
struct HttpResponse {
  unsigned status = 200;
  std::string content_type = "text/plain; charset=utf-8";
  std::string body;
  std::string content_security_policy = "default-src 'none'";
};

/// Its bytes on the wire. Pure.
std::string encode_http_response(const HttpResponse& response, bool with_body);

}  // namespace satellite::agent
