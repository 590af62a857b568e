#pragma once

#include "agent/config/config.hpp"
#include "agent/connection/core_url.hpp"
#include "protocol/vocabulary/result.hpp"
#include "tls/settings.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace satellite::agent {

/// An HTTP proxy that is asked to CONNECT.
struct ProxyAddress {
  Transport transport = Transport::plain;  ///< how this host speaks to the proxy itself
  HostAndPort place;
  std::string url;  ///< `http://proxy.example.org:3128`, for people and logs
};

/// `http://HOST:PORT`, `https://…`, or without a scheme, which means http. Pure.
///
/// Errors: invalid_input with the remedy, for other schemes, paths, and user names with or without
///         a password, which are not repeated.
Result<ProxyAddress> parse_proxy_url(std::string_view url);

/// Which way leads to a core, and why.
struct ProxyChoice {
  std::optional<ProxyAddress> proxy;  ///< nothing = directly
  std::string why;                    ///< `environment NO_PROXY has ".example.org"`
};

/// Pure. A core on this host is always reached directly.
///
/// Errors: invalid_input naming the setting or variable, its source and the remedy. Entries of
///         NO_PROXY that mean nothing here are passed over, since others read that variable, too.
Result<ProxyChoice> choose_proxy(const ProxySettings& settings, const CoreAddress& core);

/// A proxy as a connection uses it.
struct ProxyUse {
  ProxyAddress address;
  std::string credentials_file;  ///< empty = the proxy is told nobody
  std::string credentials_source;
  tls::Settings trust;  ///< for a proxy that is spoken to in TLS
};

/// The same for a connection: the way as chosen, with what it takes; `trust` is the core's.
/// Errors: those of choose_proxy; whoever gets one must not go directly instead.
Result<std::optional<ProxyUse>> proxy_for(const ProxySettings& settings, const CoreAddress& core,
                                          const tls::Settings& trust);

/// Entries of NO_PROXY that mean nothing here, for whoever wants to tell them.
std::vector<std::string> passed_over_in(const ProxySettings& settings);

}  // namespace satellite::agent
