#include "tests/devcore/secret_replies.hpp"

#include <nlohmann/json.hpp>

namespace satellite::devcore {
namespace {

using nlohmann::json;

std::string json_text(const std::string& text) {
  return json(text).dump(-1, ' ', false, json::error_handler_t::replace);
}

struct Request {
  const char* reply_type;
  const std::string& id;
  const std::map<std::string, std::string>& known;
  std::string key;
};

std::optional<std::string> answer(const Request& request) {
  const auto found = request.known.find(request.key);
  const std::string members = found != request.known.end()
                                  ? found->second
                                  : "\"error\":\"No assignment for this satellite\"";
  if (members.empty()) return std::nullopt;
  return std::string("{\"type\":\"") + request.reply_type +
         "\",\"requestId\":" + json_text(request.id) + ',' + members + '}';
}

void collect_texts(const json& value, std::vector<std::string>& texts) {
  if (value.is_string()) texts.push_back(value.get<std::string>());
  if (!value.is_structured()) return;
  for (const auto& member : value) collect_texts(member, texts);
}

std::map<std::string, std::string> members_by_key(const json& replies, const char* name) {
  std::map<std::string, std::string> members;
  if (!replies.contains(name)) return members;
  for (const auto& [key, reply] : replies.at(name).items()) {
    const std::string text = reply.dump();
    members[key] = text.substr(1, text.size() - 2);
  }
  return members;
}

}  // namespace

std::optional<std::string> secret_reply(const SecretReplies& replies,
                                        const protocol::AgentMessage& message) {
  if (const auto* run = std::get_if<protocol::RequestRunSecrets>(&message)) {
    return answer({"run_secrets", run->request_id.text, replies.run,
                   run->config_id.text + '/' + run->collector_id});
  }
  if (const auto* config = std::get_if<protocol::RequestConfigSecrets>(&message)) {
    return answer(
        {"config_secrets", config->request_id.text, replies.config, config->config_id.text});
  }
  const auto* probe = std::get_if<protocol::CapabilitySecretRequest>(&message);
  if (probe == nullptr || !replies.answers_probes) return std::nullopt;
  return "{\"type\":\"capability_secret_response\",\"requestId\":" +
         json_text(probe->request_id.text) + ",\"error\":\"Unknown capability\"}";
}

std::vector<std::string> texts_to_hide(const SecretReplies& replies) {
  std::vector<std::string> texts;
  for (const auto* part : {&replies.run, &replies.config}) {
    for (const auto& [key, members] : *part) {
      collect_texts(json::parse('{' + members + '}', nullptr, false), texts);
    }
  }
  return texts;
}

SecretReplies secret_replies_from(const std::string& json_text) {
  const json replies = json::parse(json_text);
  return {members_by_key(replies, "run"), members_by_key(replies, "config"), true};
}

}  // namespace satellite::devcore
