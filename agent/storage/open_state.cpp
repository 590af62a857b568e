#include "agent/storage/open_state.hpp"

namespace satellite::agent {

Result<OpenedState> open_state(const Config& config) {
  OpenedState state;
  state.store.free_space_min = config.outbox_free_space_min;
  if (config.ephemeral) {
    state.store.fault = StoreFault::ephemeral;
    state.store.why = "state.ephemeral is set";
    return state;
  }
  auto directory = StateDirectory::open(config.state_directory);
  if (!directory && directory.error().code == ErrorCode::unavailable) return directory.error();
  if (!directory) {
    state.store.fault = StoreFault::no_directory;
    state.store.why = directory.error().message + " (state.directory)";
    return state;
  }
  state.store.file = directory->file("outbox.db");
  state.directory = *std::move(directory);
  return state;
}

}  // namespace satellite::agent
