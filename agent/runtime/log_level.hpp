#pragma once

namespace satellite::agent {

/// How much a log line matters, in rising order.
enum class LogLevel { debug, info, warn, error };

}  // namespace satellite::agent
