// A URL is taken apart by hand and strictly: what two parsers could read differently (numeric hosts
// in odd notations, user information, control characters) is refused instead of guessed.
#include "agent/connection/core_url.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <algorithm>
#include <array>
#include <charconv>

namespace satellite::agent {
namespace {

constexpr std::string_view satellite_path = "/api/ws/satellite";
constexpr std::size_t url_size_max = 2'048;  // longer ones do not survive common proxies
constexpr std::size_t host_size_max = 253;   // RFC 1035, in text form
constexpr std::size_t label_size_max = 63;   // RFC 1035

Error invalid(std::string message) {
  return Error{ErrorCode::invalid_input, "core URL: " + std::move(message)};
}

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

std::string lower(std::string_view text) {
  std::string result(text);
  for (char& c : result) c = lower(c);
  return result;
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
  if (host.size() > host_size_max) return invalid("the host name is longer than 253 characters");
  std::size_t label_size = 0;
  for (const char c : host) {
    if (c == '.') {
      if (label_size == 0) return invalid("the host name has an empty part between two dots");
      label_size = 0;
      continue;
    }
    const bool is_ascii = static_cast<unsigned char>(c) < 0x80;
    if (!is_ascii) return invalid("the host name is not ASCII; write it in its xn-- form");
    if (!is_label_character(c))
      return invalid("the host name has a character that names cannot have");
    if (++label_size > label_size_max)
      return invalid("a part of the host name exceeds 63 characters");
  }
  if (label_size == 0) return invalid("the host name is empty or ends in two dots");
  return {};
}

struct Authority {
  std::string host;
  bool host_is_address = false;
  bool host_is_ipv6 = false;
  std::string_view port;
  bool has_port = false;
};

Result<Authority> split_bracketed(std::string_view text) {
  Authority authority;
  const std::size_t end = text.find(']');
  if (end == std::string_view::npos)
    return invalid("the bracket after the IPv6 address is missing");
  authority.host = lower(text.substr(1, end - 1));
  authority.host_is_address = authority.host_is_ipv6 = true;
  if (!is_ipv6(authority.host)) {
    return invalid("what stands in brackets is not an IPv6 address (zone names are not supported)");
  }
  const std::string_view rest = text.substr(end + 1);
  if (rest.empty()) return authority;
  if (rest[0] != ':') return invalid("only a port may follow the IPv6 address");
  authority.has_port = true;
  authority.port = rest.substr(1);
  return authority;
}

Result<Authority> split_authority(std::string_view text) {
  if (text.empty()) return invalid("the host is missing");
  if (text[0] == '[') return split_bracketed(text);
  Authority authority;
  const std::size_t colon = text.find(':');
  authority.host = lower(text.substr(0, colon));
  authority.has_port = colon != std::string_view::npos;
  if (authority.has_port) authority.port = text.substr(colon + 1);
  if (authority.port.find(':') != std::string_view::npos) {
    return invalid("an IPv6 address stands in brackets: https://[2001:db8::1]:443");
  }
  // A name may end in the dot of the DNS root; certificates and SNI never have it (RFC 6066, 3).
  if (authority.host.ends_with('.')) authority.host.pop_back();
  authority.host_is_address = is_ipv4(authority.host);
  if (authority.host_is_address) return authority;
  const Result<void> name = check_name(authority.host);
  if (!name) return name.error();
  if (ends_like_a_number(authority.host)) {
    return invalid("the host looks like an IPv4 address but is none; write four decimal numbers");
  }
  return authority;
}

Result<std::uint16_t> parse_port(std::string_view text) {
  std::uint16_t port = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), port);
  const bool is_whole = failure == std::errc{} && end == text.data() + text.size();
  if (!is_whole || port == 0) return invalid("the port is not a number from 1 to 65535");
  return port;
}

struct Scheme {
  std::string_view name;
  Transport transport;
};
constexpr std::array schemes{Scheme{"https", Transport::tls}, Scheme{"wss", Transport::tls},
                             Scheme{"http", Transport::plain}, Scheme{"ws", Transport::plain}};

Result<Transport> parse_scheme(std::string_view text) {
  for (const Scheme& scheme : schemes) {
    if (lower(text) == scheme.name) return scheme.transport;
  }
  return invalid("the scheme is not https, wss, http or ws");
}

Result<void> check_characters(std::string_view url) {
  if (url.empty()) return invalid("it is empty; write https://<host>[:port][/prefix]");
  if (url.size() > url_size_max) return invalid("it is longer than 2048 characters");
  for (const char c : url) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte <= 0x20 || byte == 0x7f) return invalid("it contains a space or a control character");
    if (c == '\\') return invalid("it contains a backslash");
  }
  return {};
}

/// What follows the host: prefix + the path of the satellite socket, as the contract joins them.
Result<std::string> target_of(std::string_view path) {
  if (path.find('?') != std::string_view::npos) return invalid("a query (?…) is not supported");
  if (path.find('#') != std::string_view::npos) return invalid("a fragment (#…) is not supported");
  const auto is_ascii = [](char c) { return static_cast<unsigned char>(c) < 0x80; };
  if (!std::all_of(path.begin(), path.end(), is_ascii)) {
    return invalid("the path is not ASCII; write it percent-encoded");
  }
  if (path.ends_with('/')) path.remove_suffix(1);
  return std::string(path) + std::string(satellite_path);
}

}  // namespace

std::string CoreAddress::url() const {
  return (transport == Transport::tls ? "wss://" : "ws://") + host_header + target;
}

bool is_loopback_host(std::string_view host) {
  const std::string name = lower(host);
  // RFC 6761 section 6.3: this name is always this host, whatever a resolver says.
  if (name == "localhost") return true;
  in_addr v4{};
  if (::inet_pton(AF_INET, name.c_str(), &v4) == 1) return (ntohl(v4.s_addr) >> 24U) == 127;
  in6_addr v6{};
  return ::inet_pton(AF_INET6, name.c_str(), &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

Result<CoreAddress> parse_core_url(std::string_view url) {
  const Result<void> characters = check_characters(url);
  if (!characters) return characters.error();
  const std::size_t scheme_end = url.find("://");
  if (scheme_end == std::string_view::npos) {
    return invalid("the scheme is missing; write https://<host>[:port][/prefix]");
  }
  const Result<Transport> transport = parse_scheme(url.substr(0, scheme_end));
  if (!transport) return transport.error();

  const std::string_view rest = url.substr(scheme_end + 3);
  const std::size_t authority_end = std::min(rest.find_first_of("/?#"), rest.size());
  const std::string_view authority_text = rest.substr(0, authority_end);
  // Credentials belong into the token settings: a URL ends up in logs and process lists.
  if (authority_text.find('@') != std::string_view::npos) {
    return invalid("it contains a user name or password; remove everything up to the @");
  }
  const Result<Authority> authority = split_authority(authority_text);
  if (!authority) return authority.error();
  Result<std::string> target = target_of(rest.substr(authority_end));
  if (!target) return target.error();

  CoreAddress address;
  address.transport = *transport;
  address.host = authority->host;
  address.host_is_address = authority->host_is_address;
  address.target = std::move(*target);
  const std::uint16_t port_default = *transport == Transport::tls ? 443 : 80;
  address.port = port_default;
  if (authority->has_port) {
    const Result<std::uint16_t> port = parse_port(authority->port);
    if (!port) return port.error();
    address.port = *port;
  }
  if (*transport == Transport::plain && !is_loopback_host(address.host)) {
    return invalid(
        "http:// and ws:// send the token readable for everybody on the way, so they are "
        "allowed to this host only (127.0.0.0/8, ::1, localhost); use https://");
  }
  address.host_header = authority->host_is_ipv6 ? '[' + address.host + ']' : address.host;
  if (address.port != port_default) address.host_header += ':' + std::to_string(address.port);
  return address;
}

Result<std::vector<CoreAddress>> parse_core_urls(std::string_view urls) {
  constexpr std::size_t cores_max = 8;
  std::vector<CoreAddress> cores;
  for (bool is_last = false; !is_last;) {
    const std::size_t end = urls.find(',');
    is_last = end == std::string_view::npos;
    std::string_view one = urls.substr(0, end);
    if (!is_last) urls.remove_prefix(end + 1);
    while (one.starts_with(' ')) one.remove_prefix(1);
    while (one.ends_with(' ')) one.remove_suffix(1);
    auto core = parse_core_url(one);
    if (!core) return core.error();
    if (std::find(cores.begin(), cores.end(), *core) != cores.end()) {
      return invalid("the same core is named twice");
    }
    if (cores.size() == cores_max) {
      return Error{ErrorCode::limit_exceeded, "core URL: more than 8 cores are named"};
    }
    cores.push_back(*std::move(core));
  }
  return cores;
}

}  // namespace satellite::agent
