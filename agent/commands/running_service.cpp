#include "agent/commands/running_service.hpp"

#include "agent/commands/running_satellite.hpp"
#include "agent/commands/service_unit.hpp"

#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

namespace satellite::agent {
namespace {

using nlohmann::json;

std::string text_in(const json& object, const char* name) {
  if (!object.is_object()) return {};
  const auto found = object.find(name);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

bool is_true_in(const json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_boolean() && found->get<bool>();
}

std::optional<HostAsServiceSeesIt> host_in(const json& status) {
  const auto host = status.find("host");
  if (host == status.end() || !host->is_object()) return std::nullopt;
  const auto capabilities = host->find("capabilities");
  if (capabilities == host->end() || !capabilities->is_array()) return std::nullopt;
  HostAsServiceSeesIt seen{is_true_in(*host, "enforceable"), text_in(*host, "guidance"), {}};
  for (const json& one : *capabilities) {
    if (!one.is_object()) continue;
    seen.findings.push_back({text_in(one, "name"), is_true_in(one, "present"),
                             text_in(one, "detail"), text_in(one, "remedy")});
  }
  return seen;
}

/// `uid 0, capabilities 000001ffffffffff` of a process; empty where it cannot be read.
std::string privileges_of(const std::string& process) {
  std::ifstream file("/proc/" + process + "/status");
  std::string uid, capabilities;
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    std::string name, value;
    words >> name >> value;
    if (name == "Uid:") uid = value;
    if (name == "CapEff:") capabilities = value;
  }
  return uid.empty() ? std::string() : "uid " + uid + ", capabilities " + capabilities;
}

Eyes eyes_without_service(const std::string& looked) {
  const auto unit = installed_unit();
  if (!unit) {
    return {looked + "; no satellite answers here: under a service unit it may be able to do less.",
            {}};
  }
  return {looked + "; no satellite answers here. " + unit->name + " runs as " + unit->user +
              ", under restrictions of its own, and may be able to do less: start it, and doctor "
              "asks it.",
          "as this command sees it, with other privileges than the service"};
}

}  // namespace

RunningService service_in(const std::string& status_json) {
  RunningService service;
  service.answers = true;
  const json status = json::parse(status_json, nullptr, false);
  if (!status.is_object()) return service;
  const auto id = status.find("processId");
  if (id != status.end() && id->is_number_integer()) {
    service.process_id = std::to_string(id->get<long>());
  }
  const auto connection = status.find("connection");
  if (connection != status.end()) {
    service.client_id = text_in(*connection, "clientId");
    service.connection_state = text_in(*connection, "state");
    service.last_reason = text_in(*connection, "lastReason");
  }
  service.host = host_in(status);
  return service;
}

RunningService ask_service(const Config& config) {
  RunningService service;
  if (config.status_socket == "none") {
    service.why_unknown = "status.socket is none";
    return service;
  }
  const auto answer = ask_satellite(config, "/status.json");
  if (answer) return service_in(answer->body);
  const bool is_closed = answer.error().code == ErrorCode::not_permitted;
  if (is_closed) service.why_unknown = "this user may not ask it, root may";
  return service;
}

Eyes eyes_of(const RunningService& service) {
  const std::string own = privileges_of("self");
  const std::string looked = "Looked with the privileges of this command (" + own + ")";
  if (!service.why_unknown.empty()) {
    return {looked + "; whether a satellite runs here is not known (" + service.why_unknown + ").",
            "as this command sees it"};
  }
  if (!service.answers) return eyes_without_service(looked);
  std::string other = privileges_of(service.process_id);
  if (other.empty()) other = "privileges unknown";
  if (service.host) {
    return {"The satellite that runs here (" + other +
                ") was asked what it can do; what it does not try was looked at with the "
                "privileges of this command (" +
                own + ").",
            {}};
  }
  return {looked + "; the satellite that runs here (" + other +
              ") has not told what it can do: it may be able to do less.",
          other == own ? "" : "as this command sees it, with other privileges than the service"};
}

}  // namespace satellite::agent
