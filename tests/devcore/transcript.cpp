#include "tests/devcore/transcript.hpp"

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

void Transcript::write(std::uint64_t connection, char direction, std::string_view text) {
  if (!file_.is_open()) return;
  const auto since = std::chrono::duration_cast<std::chrono::milliseconds>(
      std::chrono::steady_clock::now() - begun_);
  std::string line(text);
  for (const std::string& secret : hidden_) replace_all(line, secret, "****");
  file_ << since.count() << " ms  connection " << connection << ' ' << direction << ' ' << line
        << '\n'
        << std::flush;
}

}  // namespace satellite::devcore
