// A URL is taken apart by hand and strictly: what two parsers could read differently (numeric hosts
// in odd notations, user information, control characters) is refused instead of guessed.
#include "agent/connection/url_authority.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <algorithm>
#include <charconv>

namespace satellite::agent {
namespace {

constexpr std::size_t url_size_max = 2'048;  // longer ones do not survive common proxies
constexpr std::size_t host_size_max = 253;   // RFC 1035, in text form
constexpr std::size_t label_size_max = 63;   // RFC 1035

Error wrong_url(std::string message) {
  return Error{ErrorCode::invalid_input, std::move(message)};
}

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

bool is_label_character(char c) {
  return (c >= 'a' && c <= 'z') || is_digit(c) || c == '-' || c == '_';
}

bool is_ipv4(const std::string& host) {
  in_addr address{};
  return ::inet_pton(AF_INET, host.c_str(), &address) == 1;
}

bool is_ipv6(const std::string& host) {
  in6_addr address{};
  return ::inet_pton(AF_INET6, host.c_str(), &address) == 1;
}

/// `127.1`, `0x7f.1` and `2130706433` are addresses to getaddrinfo: nobody should have to know.
bool ends_like_a_number(std::string_view host) {
  const std::string_view last = host.substr(host.rfind('.') + 1);
  const bool is_hex = last.size() >= 2 && last[0] == '0' && last[1] == 'x';
  return is_hex || (!last.empty() && std::all_of(last.begin(), last.end(), is_digit));
}

Result<void> check_name(std::string_view host) {
  if (host.size() > host_size_max) return wrong_url("the host name is longer than 253 characters");
  std::size_t label_size = 0;
  for (const char c : host) {
    if (c == '.') {
      if (label_size == 0) return wrong_url("the host name has an empty part between two dots");
      label_size = 0;
      continue;
    }
    const bool is_ascii = static_cast<unsigned char>(c) < 0x80;
    if (!is_ascii) return wrong_url("the host name is not ASCII; write it in its xn-- form");
    if (!is_label_character(c))
      return wrong_url("the host name has a character that names cannot have");
    if (++label_size > label_size_max)
      return wrong_url("a part of the host name exceeds 63 characters");
  }
  if (label_size == 0) return wrong_url("the host name is empty or ends in two dots");
  return {};
}

Result<std::uint16_t> parse_port(std::string_view text) {
  std::uint16_t port = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), port);
  const bool is_whole = failure == std::errc{} && end == text.data() + text.size();
  if (!is_whole || port == 0) return wrong_url("the port is not a number from 1 to 65535");
  return port;
}

Result<UrlAuthority> with_port(UrlAuthority authority, std::string_view text) {
  const auto port = parse_port(text);
  if (!port) return port.error();
  authority.port = *port;
  return authority;
}

Result<UrlAuthority> parse_bracketed(std::string_view text) {
  UrlAuthority authority;
  const std::size_t end = text.find(']');
  if (end == std::string_view::npos)
    return wrong_url("the bracket after the IPv6 address is missing");
  authority.host = ascii_lower_case(text.substr(1, end - 1));
  authority.host_is_address = authority.host_is_ipv6 = true;
  if (!is_ipv6(authority.host)) {
    return wrong_url(
        "what stands in brackets is not an IPv6 address (zone names are not supported)");
  }
  const std::string_view rest = text.substr(end + 1);
  if (rest.empty()) return authority;
  if (rest[0] != ':') return wrong_url("only a port may follow the IPv6 address");
  return with_port(std::move(authority), rest.substr(1));
}

}  // namespace

std::string ascii_lower_case(std::string_view text) {
  std::string result(text);
  for (char& c : result) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return result;
}

Result<void> check_url_characters(std::string_view url) {
  if (url.empty()) return wrong_url("it is empty");
  if (url.size() > url_size_max) return wrong_url("it is longer than 2048 characters");
  for (const char c : url) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte <= 0x20 || byte == 0x7f) {
      return wrong_url("it contains a space or a control character");
    }
    if (c == '\\') return wrong_url("it contains a backslash");
  }
  return {};
}

Result<UrlAuthority> parse_url_authority(std::string_view text) {
  if (text.empty()) return wrong_url("the host is missing");
  if (text[0] == '[') return parse_bracketed(text);
  UrlAuthority authority;
  const std::size_t colon = text.find(':');
  authority.host = ascii_lower_case(text.substr(0, colon));
  const bool has_port = colon != std::string_view::npos;
  const std::string_view port = has_port ? text.substr(colon + 1) : std::string_view();
  if (port.find(':') != std::string_view::npos) {
    return wrong_url("an IPv6 address stands in brackets: https://[2001:db8::1]:443");
  }
  // A name may end in the dot of the DNS root; certificates and SNI never have it (RFC 6066, 3).
  if (authority.host.ends_with('.')) authority.host.pop_back();
  authority.host_is_address = is_ipv4(authority.host);
  if (!authority.host_is_address) {
    const Result<void> name = check_name(authority.host);
    if (!name) return name.error();
    if (ends_like_a_number(authority.host)) {
      return wrong_url(
          "the host looks like an IPv4 address but is none; write four decimal numbers");
    }
  }
  return has_port ? with_port(std::move(authority), port) : Result<UrlAuthority>(authority);
}

}  // namespace satellite::agent
