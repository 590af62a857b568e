#include "agent/status/status_routes.hpp"

namespace satellite::agent {
namespace {

bool names_this_host(const std::string& host) {
  return host.empty() || host == "localhost" || host == "[::1]" ||
         (host.starts_with("127.") && host.find_first_not_of("0123456789.") == std::string::npos);
}

HttpResponse readiness(const Status& status) {
  HttpResponse response;
  response.status = status.ready ? 200 : 503;
  response.body = status.ready ? "ready\n" : "not ready\n";
  for (const auto& state : status.degraded) response.body += state.name + ": " + state.why + "\n";
  return response;
}

HttpResponse text(std::string body, const char* content_type) {
  HttpResponse response;
  response.body = std::move(body);
  response.content_type = content_type;
  return response;
}

}  // namespace

HttpResponse answer_status_request(const HttpRequest& request, RequestFrom from,
                                   const std::function<Status()>& status) {
  HttpResponse wrong;
  if (from == RequestFrom::loopback && !names_this_host(request.host)) {
    wrong.status = 421;
    wrong.body = "this host is asked by the name localhost or by its loopback address\n";
    return wrong;
  }
  if (request.path == "/") return status_page();
  // That the loop has turned far enough to answer is all there is to say.
  if (request.path == "/livez") return text("alive\n", "text/plain; charset=utf-8");
  if (request.path == "/readyz") return readiness(status());
  if (request.path == "/status") return text(status_text(status()), "text/plain; charset=utf-8");
  if (request.path == "/status.json") return text(status_json(status()), "application/json");
  if (request.path == "/metrics") {
    return text(metrics_text(status()), "text/plain; version=0.0.4; charset=utf-8");
  }
  wrong.status = 404;
  wrong.body = "there is /, /livez, /readyz, /metrics, /status and /status.json\n";
  return wrong;
}

}  // namespace satellite::agent
