#include "agent/status/status_routes.hpp"
#include "tls/digest.hpp"

#include <string_view>

// SATELLITE_STATUS_PAGE is the path of status_page.html.
__asm__(
    ".pushsection .rodata\n"
    "satellite_status_page_start:\n"
    ".incbin \"" SATELLITE_STATUS_PAGE
    "\"\n"
    "satellite_status_page_end:\n"
    ".byte 0\n"
    ".popsection\n");

// Hidden, so that they are reached by their distance: on aarch64 ld 2.40 has one entry in its table
// of addresses for both labels of a file, between which nothing would lie then.
extern "C" {
[[gnu::visibility("hidden")]] extern const char satellite_status_page_start[];
[[gnu::visibility("hidden")]] extern const char satellite_status_page_end[];
}

namespace satellite::agent {
namespace {

std::string_view page() {
  return {satellite_status_page_start, satellite_status_page_end};
}

/// What stands between these two in the page.
std::string_view inside(std::string_view begin, std::string_view end) {
  const auto from = page().find(begin) + begin.size();
  return page().substr(from, page().find(end, from) - from);
}

}  // namespace

HttpResponse status_page() {
  // Only this one script and this one style sheet, and no other address than this one.
  static const std::string policy =
      "default-src 'none'; connect-src 'self'; base-uri 'none'; form-action 'none'; "
      "frame-ancestors 'none'; style-src 'sha256-" +
      tls::base64_sha256_of(inside("<style>", "</style>")) + "'; script-src 'sha256-" +
      tls::base64_sha256_of(inside("<script>", "</script>")) + "'";
  HttpResponse response;
  response.content_type = "text/html; charset=utf-8";
  response.content_security_policy = policy;
  response.body = std::string(page());
  return response;
}

}  // namespace satellite::agent
