#include "protocol/negotiation.hpp"

#include "protocol/vocabulary/printable.hpp"

#include <algorithm>

namespace satellite::protocol {
Negotiated negotiate(std::span<const std::string> declared_by_core,
                     std::span<const std::string_view> announced_by_us) {
  const auto announced = [&](std::string_view name) {
    return std::find(announced_by_us.begin(), announced_by_us.end(), name) != announced_by_us.end();
  };
  Negotiated negotiated;
  for (const std::string& extension : declared_by_core) {
    if (extension == "script-dispatch/1" && announced("script-dispatch")) {
      negotiated.script_dispatch = true;
    } else if (extension == "result-ack/1" && announced("result-ack")) {
      negotiated.result_ack = true;
    } else if (extension == "ordered-frames/1" && announced("ordered-frames")) {
      negotiated.ordered_frames = true;
    } else {
      negotiated.ignored.push_back(printable(extension));
    }
  }
  return negotiated;
}

}  // namespace satellite::protocol
