#include "agent/connection/proxy_answer.hpp"

#include "protocol/vocabulary/printable.hpp"

#include <algorithm>

namespace satellite::agent {
namespace {

constexpr std::size_t proxy_text_max = 256;

Error not_http() {
  return Error{ErrorCode::unsupported,
               "what answers is no HTTP proxy; check scheme, host and port of the proxy"};
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t' || text.back() == '\r')) {
    text.remove_suffix(1);
  }
  return text;
}

/// Behind the last `; ` of an error stands our remedy, which the proxy is not to write.
std::string harmless(std::string_view text) {
  std::string shown = printable(text, proxy_text_max);
  std::replace(shown.begin(), shown.end(), ';', ',');
  return shown;
}

bool is_digits(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

/// `HTTP/1.1 200 Connection established`.
Result<ProxyAnswer> parse_status_line(std::string_view line) {
  constexpr std::string_view begin = "HTTP/1.";
  line = trimmed(line);
  const bool has_status = line.size() >= 12 && line.starts_with(begin) && line[8] == ' ' &&
                          is_digits(line.substr(7, 1)) && is_digits(line.substr(9, 3)) &&
                          (line.size() == 12 || line[12] == ' ');
  if (!has_status) return not_http();
  ProxyAnswer answer;
  for (const char digit : line.substr(9, 3)) {
    answer.status = 10 * answer.status + static_cast<unsigned>(digit - '0');
  }
  if (answer.status < 100) return not_http();
  answer.reason = harmless(trimmed(line.substr(12)));
  return answer;
}

/// `Negotiate, Basic realm="a, b", charset="UTF-8"`: several schemes in one field, each with its
/// parameters, all between commas (RFC 9110 11.6.1).
void take_schemes(std::string_view value, ProxyAnswer& answer) {
  while (!value.empty()) {
    bool is_quoted = false;
    std::size_t end = 0;
    for (; end < value.size() && (is_quoted || value[end] != ','); ++end) {
      if (value[end] == '"') is_quoted = !is_quoted;
    }
    const std::string_view part = trimmed(value.substr(0, end));
    value.remove_prefix(std::min(end + 1, value.size()));
    const std::string scheme = harmless(part.substr(0, part.find_first_of(" \t")));
    const bool is_parameter = scheme.find('=') != std::string::npos;
    if (scheme.empty() || is_parameter) continue;
    if (answer.schemes.size() + scheme.size() > proxy_text_max) return;
    answer.schemes += (answer.schemes.empty() ? "" : ", ") + scheme;
  }
}

void take_field(std::string_view line, ProxyAnswer& answer) {
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos) return;
  const std::string name = ascii_lower_case(line.substr(0, colon));
  const std::string_view value = trimmed(line.substr(colon + 1));
  if (name == "retry-after") answer.retry_after = value.substr(0, proxy_text_max);
  if (name != "proxy-authenticate") return;
  take_schemes(value, answer);
}

/// Where the head ends, behind its empty line; proxies that leave the carriage return out exist.
std::size_t end_of_head(std::string_view bytes) {
  const std::size_t usual = bytes.find("\r\n\r\n"), bare = bytes.find("\n\n");
  if (usual != std::string_view::npos && (bare == std::string_view::npos || usual < bare)) {
    return usual + 4;
  }
  return bare == std::string_view::npos ? bare : bare + 2;
}

bool is_possible_beginning(std::string_view bytes) {
  constexpr std::string_view begin = "HTTP/1.";
  return bytes.substr(0, begin.size()) == begin.substr(0, bytes.size());
}

Error authentication_error(const ProxyAnswer& answer, const std::string& says,
                           const ProxyQuestion& question) {
  const bool offers_basic = ascii_lower_case(answer.schemes).find("basic") != std::string::npos;
  if (!answer.schemes.empty() && !offers_basic) {
    return Error{ErrorCode::not_permitted,
                 says + ": it wants to know who we are by " + answer.schemes +
                     ", and this satellite can do Basic only; have the proxy let this host through "
                     "by its address"};
  }
  if (question.credentials.empty()) {
    return Error{ErrorCode::not_permitted,
                 says +
                     ": it wants a user and a password; put USER:PASSWORD into a file of mode "
                     "0600 and name that with proxy.credentials_file"};
  }
  return Error{ErrorCode::not_permitted,
               says + ": it refused user and password of " + question.credentials};
}

}  // namespace

std::string connect_target(const HostAndPort& core) {
  const bool is_ipv6 = core.host.find(':') != std::string::npos;
  return (is_ipv6 ? '[' + core.host + ']' : core.host) + ':' + std::to_string(core.port);
}

Result<std::optional<ProxyAnswer>> parse_proxy_answer(std::string_view bytes) {
  if (!is_possible_beginning(bytes)) return not_http();
  const std::size_t end = end_of_head(bytes);
  if (end > proxy_answer_size_max && bytes.size() >= proxy_answer_size_max) {
    return Error{ErrorCode::limit_exceeded, "its answer does not end within " +
                                                std::to_string(proxy_answer_size_max) +
                                                " bytes; is this a proxy?"};
  }
  if (end == std::string_view::npos) return std::optional<ProxyAnswer>();
  std::string_view head = bytes.substr(0, end);
  auto answer = parse_status_line(head.substr(0, head.find('\n')));
  if (!answer) return answer.error();
  while (!head.empty()) {
    head.remove_prefix(std::min(head.find('\n'), head.size() - 1) + 1);
    take_field(head.substr(0, head.find('\n')), *answer);
  }
  if (answer->status / 100 == 2 && bytes.size() > end) {
    return Error{ErrorCode::unsupported,
                 "it answered HTTP " + std::to_string(answer->status) +
                     " and a page instead of a tunnel; is this a proxy, or a login page?"};
  }
  return std::optional<ProxyAnswer>(*std::move(answer));
}

Error proxy_refusal(const ProxyAnswer& answer, const ProxyQuestion& question) {
  std::string says = "it answered HTTP " + std::to_string(answer.status);
  if (!answer.reason.empty()) says += " \"" + answer.reason + '"';
  const std::string core = connect_target(question.core);
  switch (answer.status) {
    case 407:
      return authentication_error(answer, says, question);
    case 401:
    case 403:
      return Error{ErrorCode::not_permitted,
                   says + ": it does not let this host through to " + core +
                       "; have that allowed there, CONNECT to this port included"};
    case 429:
    case 502:
    case 503:
    case 504:
      return Error{ErrorCode::unavailable, says + ": it cannot reach " + core +
                                               " now; look from the proxy at the core's "
                                               "name, address and port"};
    case 400:
    case 404:
    case 405:
    case 501:
      return Error{ErrorCode::unsupported, says + " to CONNECT; is this a proxy, and its port?"};
    default:
      if (answer.status / 100 != 3) return Error{ErrorCode::unavailable, says};
      return Error{ErrorCode::not_permitted,
                   says + "; redirects are refused, set the proxy itself"};
  }
}

}  // namespace satellite::agent
