// Beast reads the head; what it means here is decided below.
#include "agent/http/http_request.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>

namespace satellite::agent {
namespace {

namespace http = boost::beast::http;

constexpr unsigned not_http = 400, wrong_method = 405, head_too_large = 431, wrong_version = 505;

ParsedRequest wrong(unsigned status) {
  return {ParsedRequest::State::wrong, {}, status};
}

/// `[::1]:9464` -> `[::1]`, `LocalHost:80` -> `localhost`.
std::string without_port(std::string_view host) {
  const auto bracket = host.rfind(']');
  const auto colon = host.rfind(':');
  const bool has_port =
      colon != std::string_view::npos && (bracket == std::string_view::npos || colon > bracket);
  std::string name(has_port ? host.substr(0, colon) : host);
  for (char& c : name) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return name;
}

const char* reason_of(unsigned status) {
  switch (status) {
    case 200:
      return "OK";
    case 400:
      return "Bad Request";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 421:
      return "Misdirected Request";
    case 431:
      return "Request Header Fields Too Large";
    case 503:
      return "Service Unavailable";
    case 505:
      return "HTTP Version Not Supported";
    default:
      return "Error";
  }
}

}  // namespace

ParsedRequest parse_http_request(std::string_view bytes) {
  http::request_parser<http::empty_body> parser;
  parser.header_limit(static_cast<std::uint32_t>(http_head_size_max));
  parser.skip(true);
  boost::system::error_code problem;
  parser.put(boost::asio::buffer(bytes.data(), bytes.size()), problem);
  if (problem == http::error::header_limit || problem == http::error::buffer_overflow) {
    return wrong(head_too_large);
  }
  if (problem == http::error::bad_version) return wrong(wrong_version);
  if (problem && problem != http::error::need_more) return wrong(not_http);
  if (!parser.is_header_done()) {
    return bytes.size() >= http_head_size_max ? wrong(head_too_large) : ParsedRequest{};
  }
  const auto& head = parser.get();
  if (head.version() != 10 && head.version() != 11) return wrong(wrong_version);
  if (head.method() != http::verb::get && head.method() != http::verb::head) {
    return wrong(wrong_method);
  }
  const std::string_view target(head.target().data(), head.target().size());
  if (!target.starts_with('/')) return wrong(not_http);
  const auto host = head[http::field::host];
  ParsedRequest parsed;
  parsed.state = ParsedRequest::State::complete;
  parsed.request.wants_body = head.method() == http::verb::get;
  parsed.request.path = std::string(target.substr(0, target.find('?')));
  parsed.request.host = without_port({host.data(), host.size()});
  return parsed;
}

std::string encode_http_response(const HttpResponse& response, bool with_body) {
  std::string bytes =
      "HTTP/1.1 " + std::to_string(response.status) + " " + reason_of(response.status) + "\r\n";
  bytes += "Content-Type: " + response.content_type + "\r\n";
  bytes += "Content-Length: " + std::to_string(response.body.size()) + "\r\n";
  bytes += "Cache-Control: no-store\r\n";
  bytes += "Content-Security-Policy: " + response.content_security_policy + "\r\n";
  bytes += "X-Content-Type-Options: nosniff\r\n";
  bytes += "Referrer-Policy: no-referrer\r\n";
  if (response.status == wrong_method) bytes += "Allow: GET, HEAD\r\n";
  bytes += "Connection: close\r\n\r\n";
  if (with_body) bytes += response.body;
  return bytes;
}

}  // namespace satellite::agent
