#pragma once

#include "agent/http/http_request.hpp"
#include "agent/status/status.hpp"

#include <functional>

namespace satellite::agent {

/// Who may have sent a request.
enum class RequestFrom {
  unix_socket,  ///< whoever its file mode lets in
  loopback,     ///< anybody on this host, and whatever page a browser there has open
};

/// What a request gets. Pure but for `status`, which is asked where the answer needs it.
///
/// Shape:  `/livez`, `/readyz` (200 or 503, with what is wrong), `/metrics`, `/status` (text),
///         `/status.json`, `/` (a page). Over loopback a Host header must name this host by
///         `localhost` or a loopback address: a name of somebody else's that resolves to loopback
///         would let his page read what is here.
HttpResponse answer_status_request(const HttpRequest& request, RequestFrom from,
                                   const std::function<Status()>& status);

/// The page `/`: one document without anything from elsewhere.
HttpResponse status_page();

}  // namespace satellite::agent
