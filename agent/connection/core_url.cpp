#include "agent/connection/core_url.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <algorithm>
#include <array>

namespace satellite::agent {
namespace {

constexpr std::string_view satellite_path = "/api/ws/satellite";

Error invalid(std::string message) {
  return Error{ErrorCode::invalid_input, "core URL: " + std::move(message)};
}

struct Scheme {
  std::string_view name;
  Transport transport;
};
constexpr std::array schemes{Scheme{"https", Transport::tls}, Scheme{"wss", Transport::tls},
                             Scheme{"http", Transport::plain}, Scheme{"ws", Transport::plain}};

Result<Transport> parse_scheme(std::string_view text) {
  for (const Scheme& scheme : schemes) {
    if (ascii_lower_case(text) == scheme.name) return scheme.transport;
  }
  return invalid("the scheme is not https, wss, http or ws");
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
  // Who copies the address from a log line or from the core's own page has it at the end already.
  if (path.ends_with(satellite_path)) path.remove_suffix(satellite_path.size());
  return std::string(path) + std::string(satellite_path);
}

}  // namespace

std::string CoreAddress::url() const {
  return (transport == Transport::tls ? "wss://" : "ws://") + host_header + target;
}

bool is_loopback_host(std::string_view host) {
  const std::string name = ascii_lower_case(host);
  // RFC 6761 section 6.3: this name is always this host, whatever a resolver says.
  if (name == "localhost") return true;
  in_addr v4{};
  if (::inet_pton(AF_INET, name.c_str(), &v4) == 1) return (ntohl(v4.s_addr) >> 24U) == 127;
  in6_addr v6{};
  return ::inet_pton(AF_INET6, name.c_str(), &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

Result<CoreAddress> parse_core_url(std::string_view url) {
  if (url.empty()) return invalid("it is empty; write https://<host>[:port][/prefix]");
  const Result<void> characters = check_url_characters(url);
  if (!characters) return invalid(characters.error().message);
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
  const Result<UrlAuthority> authority = parse_url_authority(authority_text);
  if (!authority) return invalid(authority.error().message);
  Result<std::string> target = target_of(rest.substr(authority_end));
  if (!target) return target.error();

  CoreAddress address;
  address.transport = *transport;
  address.host = authority->host;
  address.host_is_address = authority->host_is_address;
  address.target = std::move(*target);
  const std::uint16_t port_default = *transport == Transport::tls ? 443 : 80;
  address.port = authority->port.value_or(port_default);
  if (*transport == Transport::plain && !is_loopback_host(address.host)) {
    return invalid(
        "http:// and ws:// send the token readable for everybody on the way, so they are "
        "allowed to this host only (127.0.0.0/8, ::1, localhost); use https://");
  }
  address.host_header = authority->bracketed_host();
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
