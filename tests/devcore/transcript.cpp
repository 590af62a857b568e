#include "tests/devcore/transcript.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace satellite::devcore {
namespace {

void replace_all(std::string& text, const std::string& from, std::string_view to) {
  for (std::size_t at = text.find(from); at != std::string::npos; at = text.find(from, at)) {
    text.replace(at, from.size(), to);
    at += to.size();
  }
}

}  // namespace

Transcript::Transcript(const std::filesystem::path& path) {
  if (!path.empty()) file_.open(path, std::ios::trunc);
}

void Transcript::hide(const std::string& secret) {
  if (secret.empty()) return;
  hidden_.push_back(secret);
  // The same value as it stands inside a JSON string.
  const auto replace = nlohmann::json::error_handler_t::replace;
  const std::string quoted = nlohmann::json(secret).dump(-1, ' ', false, replace);
  hidden_.push_back(quoted.substr(1, quoted.size() - 2));
}

void Transcript::write(const Entry& entry) {
  if (!file_.is_open()) return;
  const auto since = std::chrono::duration_cast<std::chrono::milliseconds>(
      std::chrono::steady_clock::now() - begun_);
  std::string text(entry.text);
  for (const std::string& secret : hidden_) replace_all(text, secret, "****");
  const bool is_json = entry.member == "frame" && nlohmann::json::accept(text);
  if (is_json) {
    // As it stood, but on one line: between the values of a JSON text a line end is a space.
    std::replace(text.begin(), text.end(), '\n', ' ');
  } else {
    text = nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  }
  const std::string_view member = is_json || entry.member == "remark" ? entry.member : "text";
  file_ << R"({"ms":)" << since.count() << R"(,"connection":)" << entry.connection;
  if (!entry.direction.empty()) file_ << R"(,"dir":")" << entry.direction << '"';
  file_ << ",\"" << member << "\":" << text << "}\n" << std::flush;
}

}  // namespace satellite::devcore
