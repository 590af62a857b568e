#pragma once

#include "protocol/vocabulary/bounded_json.hpp"
#include "protocol/vocabulary/byte_count.hpp"

#include <chrono>
#include <cstddef>

/// Every bound on what comes from outside, in one table: value, and why this value.
///
/// Sources: core-contract 1, dispatch-extension.
namespace satellite::limits {

using namespace satellite::byte_literals;
using namespace std::chrono_literals;

// --- Frames -------------------------------------------------------------------------------------
// The core's own bound for frames towards it is 16 MiB (then it closes with 1009). Towards us the
// largest honest frames are package blobs and full assignment lists.
constexpr ByteCount frame_size_max = 16_MiB;
constexpr std::size_t json_depth_max = 64;
constexpr std::size_t json_values_max = 2'000'000;
constexpr JsonBounds frame_after_authentication{frame_size_max, json_depth_max, json_values_max};
// No smaller bound for the agent: the frame that authenticates it carries the full assignment set,
// and pushes may overtake that frame (core-contract 1.2). TLS has proven the peer by then.
constexpr ByteCount frame_size_max_before_authentication = frame_size_max;
constexpr JsonBounds frame_before_authentication = frame_after_authentication;
// For a listening side: a satellite that has not authenticated may cost a core only this much.
constexpr ByteCount frame_size_max_from_stranger = 64_KiB;
constexpr JsonBounds frame_from_stranger{frame_size_max_from_stranger, 32, 10'000};

// --- Messages -----------------------------------------------------------------------------------
constexpr std::size_t assignments_max = 20'000;
constexpr std::size_t collectors_per_assignment_max = 256;
constexpr std::size_t environments_per_assignment_max = 1'024;
constexpr std::size_t assertions_per_collector_max = 1'024;
constexpr ByteCount id_size_max = 256_B;
constexpr ByteCount name_size_max = 4_KiB;  // names and texts that people typed
constexpr ByteCount run_id_size_max = 128_B;
constexpr ByteCount reason_size_max = 4_KiB;
constexpr ByteCount policy_text_size_max = 256_KiB;
constexpr std::size_t extensions_max = 64;
constexpr std::size_t result_ids_max = 10'000;
constexpr std::size_t packages_max = 20'000;
constexpr std::size_t secrets_per_reply_max = 4'096;
constexpr ByteCount secret_size_max = 1_MiB;
constexpr ByteCount secrets_size_max = 8_MiB;  // of one reply

// --- Dispatched runs ----------------------------------------------------------------------------
constexpr ByteCount script_size_max = 1_MiB;
constexpr ByteCount context_size_max = 1_MiB;
constexpr ByteCount stdin_size_max = 1_MiB;
constexpr ByteCount working_directory_size_max = 4_KiB;
constexpr std::size_t environment_entries_max = 1'024;
// One argv or environment string may not pass MAX_ARG_STRLEN (32 pages, execve(2)).
constexpr ByteCount environment_entry_size_max = 128_KiB - 1_B;
constexpr ByteCount environment_size_max = 1_MiB;
constexpr std::chrono::milliseconds timeout_min = 100ms;
constexpr std::chrono::milliseconds timeout_max = 3'600'000ms;
constexpr ByteCount output_chunk_size_max = 32_KiB;
// Past this much unacknowledged output we stop reading the pipe and the script blocks.
constexpr ByteCount output_window_per_run = 1_MiB;
constexpr ByteCount output_window_per_connection = 8_MiB;
constexpr std::size_t queue_length_default = 64;
constexpr std::size_t queue_length_max = 10'000;
constexpr std::size_t concurrency_max = 32;
// Each is two processes and a set of namespaces that nothing may ever use.
constexpr std::size_t prepared_runs_max = 32;
// An execution is never repeated, so ids are remembered longer than any core would resend them.
constexpr std::chrono::hours run_ids_kept_for = 24h;
constexpr std::size_t run_ids_kept_max = 10'000;
// An output without any policy cap still has to end somewhere.
constexpr ByteCount output_size_max_without_policy = 64_MiB;

// --- Connection ---------------------------------------------------------------------------------
constexpr std::chrono::seconds connect_deadline = 30s;    // DNS to `authenticated`, absolute
constexpr std::chrono::seconds ping_interval = 15s;       // ours; the peer's silence counts
constexpr std::chrono::seconds silence_max = 45s;         // then the peer is dead
constexpr std::chrono::seconds heartbeat_interval = 15s;  // core-contract 1.6
constexpr std::chrono::seconds close_deadline = 5s;
constexpr std::chrono::seconds backoff_first = 1s;
constexpr std::chrono::seconds backoff_max = 30s;
constexpr std::chrono::seconds stable_after = 60s;  // only then the backoff starts anew
constexpr std::chrono::seconds unauthorised_retry = 300s;

// --- Local input --------------------------------------------------------------------------------
constexpr ByteCount settings_file_size_max = 1_MiB;
constexpr ByteCount token_size_max = 4_KiB;
constexpr ByteCount policy_file_size_max = policy_text_size_max;

// Relations that hold the table together.
static_assert(frame_size_max_from_stranger < frame_size_max);
// JSON escaping turns one byte into six at worst (a control character).
static_assert(6 * output_chunk_size_max + 4_KiB <= 256_KiB);
static_assert(6 * (script_size_max + stdin_size_max) + environment_size_max + context_size_max <=
              frame_size_max);
static_assert(output_window_per_run <= output_window_per_connection);
static_assert(ping_interval < silence_max);
static_assert(backoff_first < backoff_max);

}  // namespace satellite::limits
