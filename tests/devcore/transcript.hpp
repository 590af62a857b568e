#pragma once

#include <chrono>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

namespace satellite::devcore {

/// Every frame on one line: milliseconds since the start, connection, direction, text. Tokens and
/// secret values are replaced before anything is written.
class Transcript {
 public:
  /// An empty path = nothing is written and nothing costs anything.
  explicit Transcript(const std::filesystem::path& path);

  void hide(const std::string& secret);
  void received(std::uint64_t connection, std::string_view frame) { write(connection, '<', frame); }
  void sent(std::uint64_t connection, std::string_view frame) { write(connection, '>', frame); }
  void remark(std::uint64_t connection, std::string_view text) { write(connection, '#', text); }

 private:
  void write(std::uint64_t connection, char direction, std::string_view text);

  std::ofstream file_;
  std::chrono::steady_clock::time_point begun_ = std::chrono::steady_clock::now();
  std::vector<std::string> hidden_;
};

}  // namespace satellite::devcore
