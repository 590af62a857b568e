#pragma once

#include "protocol/vocabulary/result.hpp"
#include "sandbox/policy/policy.hpp"

#include <filesystem>
#include <string_view>
#include <utility>

namespace satellite::sandbox {

/// The cluster's default policy in one file: what a core relays to its satellites.
///
/// Shape:  every process that names the same file reads the same policy; a write is complete or has
///         not happened (temporary file, fsync, rename, fsync of the directory).
/// Errors: read: no file = the safe default; a file that cannot be read or is no valid policy is an
///         error, never the default. write: invalid_input stores nothing; io_failed leaves the old.
/// Source: reference-satellite 3.
class PolicyStore {
 public:
  /// `safe_default` is what holds while nothing is stored, and what a partial write is laid over.
  PolicyStore(std::filesystem::path file, Policy safe_default)
      : file_(std::move(file)), safe_default_(std::move(safe_default)) {}

  Result<Policy> read() const;
  /// Lays a partial policy over the safe default and stores the whole; returns what was stored.
  Result<Policy> write(std::string_view partial_policy_text);

 private:
  std::filesystem::path file_;
  Policy safe_default_;
};

}  // namespace satellite::sandbox
