#pragma once

#include "agent/config/load_config.hpp"

#include <unistd.h>
#include <catch2/catch.hpp>
#include <string>

namespace satellite::tests {

/// The least that a satellite can be started with.
inline agent::ConfigSources minimal() {
  agent::ConfigSources sources;
  sources.environment = {{"CHECKSTACK_CORE_URL", "https://core.example"},
                         {"CHECKSTACK_SATELLITE_CLIENT_ID", "client"},
                         {"CHECKSTACK_SATELLITE_TOKEN", "csat_abc"}};
  sources.own_uid = ::geteuid();
  return sources;
}

inline bool mentions(const Error& error, const std::string& words) {
  INFO(error.message);
  return error.message.find(words) != std::string::npos;
}

}  // namespace satellite::tests
