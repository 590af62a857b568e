#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace satellite::fuzz {

/// What must hold for any bytes at all, one function per door.
///
/// Shape: the broken promise in words, or nothing. The fuzzers abort on words; a unit test replays
///        the corpus through the same functions, so that a crash once found stays found. Where an
///        input has parts, a NUL divides them.

// What a core, or who stands between, may send.
std::optional<std::string> check_bounded_json_target(std::string_view input);
std::optional<std::string> check_decode_target(std::string_view input);
std::optional<std::string> check_output_target(std::string_view input);
std::optional<std::string> check_run_stream_target(std::string_view input);
/// What somebody on this host asks the satellite over its socket.
std::optional<std::string> check_http_request_target(std::string_view input);
/// An id that a core acknowledges, and the rest of a result's frame.
std::optional<std::string> check_result_id_target(std::string_view input);
std::optional<std::string> check_handshake_target(std::string_view input);
/// What somebody on the way to the core answers to CONNECT, and the same in two pieces.
std::optional<std::string> check_proxy_answer_target(std::string_view input);
std::optional<std::string> check_template_target(std::string_view input);
/// A text between two references, a secret for each, and a value of the core's own.
std::optional<std::string> check_secret_reference_target(std::string_view input);
std::optional<std::string> check_user_script_target(std::string_view input);
/// A script, and behind a NUL what it wrote.
std::optional<std::string> check_hints_target(std::string_view input);
/// Two policies: each on its own, and the stricter of both.
std::optional<std::string> check_policy_target(std::string_view input);

/// A tar archive, whose sums are put right, and the same bytes as gzip.
std::optional<std::string> check_archive_target(std::string_view input);
/// A list of packages and the files of one: lines of words.
std::optional<std::string> check_manifest_target(std::string_view input);
/// Two package.json.
std::optional<std::string> check_package_json_target(std::string_view input);

/// The file of the offline cache: two texts in one, and what happens to the file.
std::optional<std::string> check_offline_record_target(std::string_view input);

/// What a check keeps between runs, as packed by our own process from what a script left.
std::optional<std::string> check_packed_state_target(std::string_view input);
/// The file of it: a text, and what happens to the file.
std::optional<std::string> check_check_state_target(std::string_view input);

// What an operator writes.
std::optional<std::string> check_settings_target(std::string_view input);
std::optional<std::string> check_core_url_target(std::string_view input);
/// The URL of a proxy, and behind a NUL who is reached without it.
std::optional<std::string> check_proxy_choice_target(std::string_view input);
/// nsswitch.conf, and the same bytes as what getent printed.
std::optional<std::string> check_name_services_target(std::string_view input);
/// Two lists of addresses and blocks, one entry a line; each line is also tried as a range of ids.
std::optional<std::string> check_address_block_target(std::string_view input);
std::optional<std::string> check_plan_question_target(std::string_view input);
/// A log that leaves this host; the first byte says where a secret stands in it.
std::optional<std::string> check_redaction_target(std::string_view input);

// What agent, launcher and kernel say to each other.
std::optional<std::string> check_launcher_order_target(std::string_view input);
std::optional<std::string> check_launcher_record_target(std::string_view input);
std::optional<std::string> check_netlink_target(std::string_view input);
/// The first byte chooses the file of /proc or /sys that the rest is taken for.
std::optional<std::string> check_kernel_text_target(std::string_view input);

// What a script writes. Two bytes choose the secrets and where reads cut, then a secret, then text.
std::optional<std::string> check_masker_target(std::string_view input);
/// What a script in JavaScript may write where its answer is read.
std::optional<std::string> check_module_answer_target(std::string_view input);

}  // namespace satellite::fuzz
