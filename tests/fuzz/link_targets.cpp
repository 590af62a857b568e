#include "agent/connection/core_url.hpp"
#include "agent/connection/name_services.hpp"
#include "agent/connection/retry_after.hpp"
#include "agent/connection/websocket_errors.hpp"
#include "agent/http/http_request.hpp"
#include "tests/fuzz/promises.hpp"
#include "tests/fuzz/targets.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/websocket/error.hpp>

namespace satellite::fuzz {
namespace {

using namespace satellite::agent;
namespace http = boost::beast::http;
namespace websocket = boost::beast::websocket;

constexpr std::string_view satellite_path = "/api/ws/satellite";

/// Goes into a request line and a header as it stands.
bool is_safe_in_request(std::string_view text) {
  return !text.empty() &&
         std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c <= '~'; });
}

bool is_patient(const std::optional<std::chrono::seconds>& wait) {
  using namespace std::chrono_literals;
  return !wait || (*wait >= 1s && *wait <= 15min);
}

Broken check_list_of_cores(std::string_view input) {
  const auto cores = parse_core_urls(input);
  if (!cores) return unless_fit_for_log(cores.error(), 512);
  if (cores->empty() || cores->size() > 8) return "a list of cores beyond its bounds";
  for (const CoreAddress& core : *cores) {
    if (std::count(cores->begin(), cores->end(), core) != 1) return "a core that is there twice";
    if (core.transport == Transport::plain && !is_loopback_host(core.host)) {
      return "a token would leave this host unencrypted, to one of several";
    }
  }
  return std::nullopt;
}

}  // namespace

Broken check_core_url_target(std::string_view input) {
  if (const auto broken = check_list_of_cores(input)) return broken;
  const auto address = parse_core_url(input);
  if (!address) return unless_fit_for_log(address.error(), 512);
  if (!is_safe_in_request(address->host_header) || !is_safe_in_request(address->target) ||
      !address->target.starts_with('/') || !address->target.ends_with(satellite_path)) {
    return "a URL that changes the request it is used for";
  }
  if (address->host.find_first_of("@/?#[]") != std::string::npos) return "an odd host";
  if (address->transport == Transport::plain && !is_loopback_host(address->host)) {
    return "a token would leave this host unencrypted";
  }
  std::string plain = address->url();
  plain.resize(plain.size() - satellite_path.size());
  const auto again = parse_core_url(plain);
  if (!again) return "a URL written again is refused: " + again.error().message;
  // A prefix that ends in a slash loses one each time: none but the last is of our making.
  if (again->host != address->host || again->port != address->port ||
      again->transport != address->transport || again->host_header != address->host_header) {
    return "a URL written again leads elsewhere";
  }
  return std::nullopt;
}

Broken check_name_services_target(std::string_view input) {
  const auto services = services_not_asked(input);
  if (services.size() > 16) return "a list of services without bounds";
  for (const std::string& name : services) {
    if (name.size() > 32 || !is_safe_in_request(name)) return "a service that no log line may show";
    if (input.find(name) == std::string_view::npos) return "a service that is not in the file";
  }
  constexpr std::size_t count_max = 4;
  const auto addresses = addresses_of_getent(input, count_max);
  if (addresses.size() > count_max) return "more addresses than were asked for";
  std::string written;
  for (const auto& address : addresses) written += address.to_string() + " STREAM\n";
  if (addresses_of_getent(written, count_max) != addresses) return "addresses change when written";
  return std::nullopt;
}

Broken check_handshake_target(std::string_view input) {
  static const CoreAddress address = *parse_core_url("https://core.example/prefix");
  constexpr auto now = std::chrono::system_clock::time_point(std::chrono::seconds(1'714'979'409));
  if (!is_patient(parse_retry_after(input, now))) return "a wait beyond its bounds";
  http::response_parser<http::string_body> parser;
  parser.body_limit(16U << 10U);
  parser.header_limit(8U << 10U);
  parser.eager(true);
  boost::system::error_code failure;
  parser.put(boost::asio::buffer(input.data(), input.size()), failure);
  if (failure) {
    const auto torn = upgrade_failure(failure, websocket::response_type(), address);
    return unless_fit_for_log(torn.link.error());
  }
  if (!parser.is_header_done()) return std::nullopt;
  const auto attempt = upgrade_failure(websocket::error::upgrade_declined, parser.get(), address);
  if (attempt.link.has_value()) return "an answer that is no upgrade made a link";
  if (!is_patient(attempt.retry_after)) return "a wait beyond its bounds";
  // The text of the peer is escaped where it is printed; here it only has to have an end.
  if (attempt.link.error().message.size() > 1024) return "an error without bounds";
  return std::nullopt;
}

Broken check_http_request_target(std::string_view input) {
  using State = ParsedRequest::State;
  const ParsedRequest parsed = parse_http_request(input);
  if (parsed.state == State::wrong && parsed.status < 400) return "an answer that is no refusal";
  // A head is judged by what has come of it; what comes later does not make it complete earlier.
  if (parsed.state == State::complete) {
    if (!parsed.request.path.starts_with('/')) return "a path that is none";
    if (parsed.request.path.find('?') != std::string::npos) return "a query in a path";
    const std::string more = std::string(input) + "more";
    if (parse_http_request(more).state != State::complete) return "what follows changed the head";
  }
  return std::nullopt;
}

}  // namespace satellite::fuzz
