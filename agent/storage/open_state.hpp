#pragma once

#include "agent/config/config.hpp"
#include "agent/storage/state_directory.hpp"
#include "agent/storage/store.hpp"

#include <optional>

namespace satellite::agent {

/// Where this process keeps what shall outlive it.
struct OpenedState {
  std::optional<StateDirectory> directory;  ///< and its lock; nothing = memory only
  Store::Settings store;
};

/// The operator's settings -> the state directory, locked.
///
/// Errors: unavailable = another satellite uses it. One that cannot be had for any other reason is
///         no error: the settings of the store say why.
Result<OpenedState> open_state(const Config& config);

}  // namespace satellite::agent
