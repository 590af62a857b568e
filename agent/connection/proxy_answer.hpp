#pragma once

#include "agent/connection/url_authority.hpp"
#include "protocol/vocabulary/result.hpp"

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace satellite::agent {

// A proxy has little to say, and says it before anybody has proven who he is.
constexpr std::size_t proxy_answer_size_max = 16'384;

/// What a proxy answers to CONNECT, up to the empty line.
///
/// Shape:  texts are the proxy's, cut to 256 bytes and made harmless: plain ASCII without `;`.
/// Source: RFC 9110 section 9.3.6, RFC 9112 section 4.
struct ProxyAnswer {
  unsigned status = 0;
  std::string reason;       ///< what stands behind the status
  std::string schemes;      ///< of Proxy-Authenticate, the first words, with commas
  std::string retry_after;  ///< as it was written; empty = not there
};

/// Nothing = the head has not ended yet. Pure.
///
/// Errors: unsupported for what is no HTTP/1 answer, and for bytes behind a status of 2xx: nobody
///         speaks in a tunnel before the client; limit_exceeded beyond proxy_answer_size_max.
Result<std::optional<ProxyAnswer>> parse_proxy_answer(std::string_view bytes);

/// What was asked, for the words about an answer that is no tunnel.
struct ProxyQuestion {
  HostAndPort core;
  std::string credentials;  ///< the words for what names the user that was shown; empty = nobody
};

/// A status that is not 2xx -> the one Error for it, with the remedy. Pure.
Error proxy_refusal(const ProxyAnswer& answer, const ProxyQuestion& question);

/// `core.example.org:443`, `[2001:db8::1]:443`.
std::string connect_target(const HostAndPort& core);

}  // namespace satellite::agent
