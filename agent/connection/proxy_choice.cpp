#include "agent/connection/proxy_choice.hpp"

#include "agent/connection/proxy_bypass.hpp"
#include "protocol/vocabulary/printable.hpp"

namespace satellite::agent {
namespace {

constexpr std::string_view no_proxy_variables[] = {"environment NO_PROXY", "environment no_proxy"};

bool is_from_no_proxy(const ProxySettings& settings) {
  for (const std::string_view variable : no_proxy_variables) {
    if (settings.bypass_source == variable) return true;
  }
  return false;
}

Error of_proxy_url(const ProxySettings& settings, const Error& error) {
  return Error{error.code, "proxy.url (from " + settings.url_source + "): " + error.message};
}

Error wrong_proxy(std::string message) {
  return Error{ErrorCode::invalid_input, std::move(message)};
}

}  // namespace

Result<ProxyAddress> parse_proxy_url(std::string_view url) {
  const Result<void> characters = check_url_characters(url);
  if (!characters) return characters.error();
  ProxyAddress proxy;
  std::string_view rest = url;
  if (const auto end = url.find("://"); end != std::string_view::npos) {
    const std::string scheme = ascii_lower_case(url.substr(0, end));
    if (scheme != "http" && scheme != "https") {
      return wrong_proxy("the scheme is not http or https (SOCKS is not supported)");
    }
    proxy.transport = scheme == "https" ? Transport::tls : Transport::plain;
    rest.remove_prefix(end + 3);
  }
  if (rest.find('@') != std::string_view::npos) {
    return wrong_proxy(
        "it contains a user name or password, which logs and process lists would show; put "
        "USER:PASSWORD into a file of mode 0600, name that with proxy.credentials_file, and "
        "remove everything up to the @");
  }
  if (rest.ends_with('/')) rest.remove_suffix(1);
  if (rest.find_first_of("/?#") != std::string_view::npos) {
    return wrong_proxy("a proxy has no path; write http://HOST:PORT");
  }
  const auto authority = parse_url_authority(rest);
  if (!authority) return authority.error();
  const bool is_tls = proxy.transport == Transport::tls;
  proxy.place.host = authority->host;
  proxy.place.port = authority->port.value_or(static_cast<std::uint16_t>(is_tls ? 443 : 80));
  proxy.url = (is_tls ? "https://" : "http://") + authority->bracketed_host() + ':' +
              std::to_string(proxy.place.port);
  return proxy;
}

Result<ProxyChoice> choose_proxy(const ProxySettings& settings, const CoreAddress& core) {
  if (settings.url.empty()) return ProxyChoice{{}, "no proxy is set"};
  if (settings.url == "none") return ProxyChoice{{}, "proxy.url is none, " + settings.url_source};
  auto proxy = parse_proxy_url(settings.url);
  // A password is refused wherever it stands; all else of a proxy only matters if it is used.
  const bool may_have_password = settings.url.find('@') != std::string::npos;
  if (!proxy && may_have_password) return of_proxy_url(settings, proxy.error());
  const auto unknown = unknown_bypass_entries(settings.bypass);
  if (!unknown.empty() && !is_from_no_proxy(settings)) {
    return Error{ErrorCode::invalid_input,
                 "proxy.bypass (from " + settings.bypass_source + "): '" +
                     printable(unknown.front()) +
                     "' is no name, address or block; at most 256 entries, as "
                     "core.example.org, 192.0.2.7:8443, 10.0.0.0/8"};
  }
  if (is_loopback_host(core.host)) return ProxyChoice{{}, "the core is on this host"};
  if (const auto entry = bypassed_by(settings.bypass, core.host_and_port())) {
    return ProxyChoice{{}, settings.bypass_source + " has \"" + printable(*entry) + '"'};
  }
  if (!proxy) return of_proxy_url(settings, proxy.error());
  return ProxyChoice{*std::move(proxy), settings.url_source};
}

Result<std::optional<ProxyUse>> proxy_for(const ProxySettings& settings, const CoreAddress& core,
                                          const tls::Settings& trust) {
  const auto choice = choose_proxy(settings, core);
  if (!choice) return choice.error();
  if (!choice->proxy) return std::optional<ProxyUse>();
  ProxyUse use{*choice->proxy, settings.credentials_file, settings.credentials_source, trust};
  // Who we are, and which key the core has, is between the core and us.
  use.trust.client.reset();
  use.trust.pins.clear();
  if (settings.ca_file.empty()) return std::optional(std::move(use));
  use.trust = {};
  use.trust.ca_file = settings.ca_file;
  use.trust.ca_file_setting = "proxy.ca_file";
  return std::optional(std::move(use));
}

std::vector<std::string> passed_over_in(const ProxySettings& settings) {
  if (!is_from_no_proxy(settings)) return {};
  return unknown_bypass_entries(settings.bypass);
}

}  // namespace satellite::agent
