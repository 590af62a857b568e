#pragma once

#include "sandbox/report/outcome.hpp"
#include "sandbox/report/report.hpp"

#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <string_view>

namespace satellite::sandbox {

/// Receives what happens in one run while it goes on. Calls for one stream never overlap.
class RunObserver {
 public:
  virtual ~RunObserver() = default;
  /// After verification, before the first instruction of the script.
  virtual void started(const EffectiveSandbox& report,
                       std::chrono::system_clock::time_point at) = 0;
  /// A piece of output: masked, within the cap, at most `output_chunk_size_max`. The script's pipe
  /// is not read again until this returns: waiting here is the flow control.
  virtual boost::asio::awaitable<void> output(OutputStream stream, std::string_view bytes) = 0;
};

}  // namespace satellite::sandbox
