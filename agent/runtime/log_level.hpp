#pragma once

namespace satellite::agent {

/// How much a log line matters, in rising order.
enum class LogLevel { debug, info, warn, error };

/// How a line is spelled: for people, for a machine that reads JSON, or `key=value` throughout.
enum class LogFormat { text, json, logfmt };

}  // namespace satellite::agent
