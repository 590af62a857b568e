#pragma once

#include "sandbox/launcher/wire/records.hpp"

#include <tl/expected.hpp>
#include <utility>

namespace satellite::sandbox {

/// A value, or the step of a run's set-up that failed: how every failure before a script starts
/// travels inside the launcher. Converts from both; propagate with
/// `if (!made) return std::move(made).error();`.
template <typename T>
class [[nodiscard]] SetupResult : public tl::expected<T, RunSetupFailed> {
 public:
  SetupResult(T value) : tl::expected<T, RunSetupFailed>(std::move(value)) {}
  SetupResult(RunSetupFailed failure)
      : tl::expected<T, RunSetupFailed>(tl::unexpect, std::move(failure)) {}
};

/// Success without a value, or the step that failed. `return {};` is success.
template <>
class [[nodiscard]] SetupResult<void> : public tl::expected<void, RunSetupFailed> {
 public:
  SetupResult() = default;
  SetupResult(RunSetupFailed failure)
      : tl::expected<void, RunSetupFailed>(tl::unexpect, std::move(failure)) {}
};

}  // namespace satellite::sandbox
