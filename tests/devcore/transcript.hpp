#pragma once

#include <chrono>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

namespace satellite::devcore {

/// Every frame as one line of JSON: `ms` since the start, `connection`, `dir` (`sat->core` or
/// `core->sat`) and `frame`; `text` instead of what is no JSON, `remark` for what happened besides.
/// Tokens and secret values are replaced before anything is written. The end-to-end tests replay
/// such files.
class Transcript {
 public:
  /// An empty path = nothing is written and nothing costs anything.
  explicit Transcript(const std::filesystem::path& path);

  void hide(const std::string& secret);
  void received(std::uint64_t connection, std::string_view frame) {
    write({connection, "frame", "sat->core", frame});
  }
  void sent(std::uint64_t connection, std::string_view frame) {
    write({connection, "frame", "core->sat", frame});
  }
  void remark(std::uint64_t connection, std::string_view text) {
    write({connection, "remark", {}, text});
  }

 private:
  struct Entry {
    std::uint64_t connection = 0;
    std::string_view member, direction, text;
  };
  void write(const Entry& entry);

  std::ofstream file_;
  std::chrono::steady_clock::time_point begun_ = std::chrono::steady_clock::now();
  std::vector<std::string> hidden_;
};

}  // namespace satellite::devcore
