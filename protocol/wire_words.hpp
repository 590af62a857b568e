#pragma once

#include "protocol/agent_messages.hpp"
#include "protocol/dispatch_messages.hpp"
#include "protocol/vocabulary/json_fields.hpp"

#include <array>
#include <string_view>

namespace satellite::protocol {

/// The words of the wire, one table per enumeration: read both ways by every codec.
///
/// Source: core-contract 1.3; dispatch-extension.
inline constexpr std::array script_kind_words{
    Word<ScriptKind>{"health-check", ScriptKind::health_check},
    Word<ScriptKind>{"automation", ScriptKind::automation},
};
inline constexpr std::array script_language_words{
    Word<ScriptLanguage>{"shell", ScriptLanguage::shell},
    Word<ScriptLanguage>{"module", ScriptLanguage::module},
};
inline constexpr std::array script_priority_words{
    Word<ScriptPriority>{"high", ScriptPriority::high},
    Word<ScriptPriority>{"normal", ScriptPriority::normal},
    Word<ScriptPriority>{"low", ScriptPriority::low},
};
inline constexpr std::array rejection_code_words{
    Word<RejectionCode>{"invalid", RejectionCode::invalid},
    Word<RejectionCode>{"forbidden", RejectionCode::forbidden},
    Word<RejectionCode>{"queue_full", RejectionCode::queue_full},
    Word<RejectionCode>{"expired", RejectionCode::expired},
    Word<RejectionCode>{"duplicate", RejectionCode::duplicate},
    Word<RejectionCode>{"not_found", RejectionCode::not_found},
    Word<RejectionCode>{"shutting_down", RejectionCode::shutting_down},
};
inline constexpr std::array output_stream_words{
    Word<OutputStream>{"stdout", OutputStream::standard_output},
    Word<OutputStream>{"stderr", OutputStream::standard_error},
};
inline constexpr std::array script_state_words{
    Word<ScriptState>{"queued", ScriptState::queued},
    Word<ScriptState>{"running", ScriptState::running},
    Word<ScriptState>{"finished", ScriptState::finished},
    Word<ScriptState>{"unknown", ScriptState::unknown},
};
inline constexpr std::array health_status_words{
    Word<HealthStatus>{"healthy", HealthStatus::healthy},
    Word<HealthStatus>{"unhealthy", HealthStatus::unhealthy},
    Word<HealthStatus>{"degraded", HealthStatus::degraded},
};
inline constexpr std::array package_sync_status_words{
    Word<PackageSyncStatus>{"pending", PackageSyncStatus::pending},
    Word<PackageSyncStatus>{"syncing", PackageSyncStatus::syncing},
    Word<PackageSyncStatus>{"ready", PackageSyncStatus::ready},
    Word<PackageSyncStatus>{"error", PackageSyncStatus::error},
};

/// How a run can end. Words only: the enumeration belongs to the sandbox, which protocol does not
/// know, and its `name_of` speaks these words.
inline constexpr std::array<std::string_view, 9> outcome_words{
    "exited",       "signaled", "timed_out",    "cancelled",   "output_limit",
    "memory_limit", "refused",  "setup_failed", "interrupted",
};

constexpr std::string_view name_of(ScriptKind kind) {
  return word_of(script_kind_words, kind);
}
constexpr std::string_view name_of(ScriptLanguage language) {
  return word_of(script_language_words, language);
}
constexpr std::string_view name_of(ScriptPriority priority) {
  return word_of(script_priority_words, priority);
}
constexpr std::string_view name_of(RejectionCode code) {
  return word_of(rejection_code_words, code);
}
constexpr std::string_view name_of(OutputStream stream) {
  return word_of(output_stream_words, stream);
}
constexpr std::string_view name_of(ScriptState state) {
  return word_of(script_state_words, state);
}
constexpr std::string_view name_of(HealthStatus status) {
  return word_of(health_status_words, status);
}
constexpr std::string_view name_of(PackageSyncStatus status) {
  return word_of(package_sync_status_words, status);
}

}  // namespace satellite::protocol
