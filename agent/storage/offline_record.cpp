#include "agent/storage/offline_record.hpp"

#include <algorithm>
#include <cstddef>

// The head: a name, the version, the salt, the time, the sizes of four texts, the code of the
// texts, and the code of all before it. Numbers are little-endian.

namespace satellite::agent {
namespace {

constexpr std::string_view magic = "checkstack-cache";
constexpr std::uint32_t version = 1;
constexpr std::size_t salt_size = SealedRecord::salt_size, text_count = 4;
constexpr std::size_t version_at = 16, salt_at = 20, time_at = 36, sizes_at = 44;
constexpr std::size_t texts_code_at = 60, head_code_at = 92;
static_assert(magic.size() == version_at);
static_assert(salt_at + salt_size == time_at && sizes_at + 4 * text_count == texts_code_at);
static_assert(texts_code_at + tls::message_code_size == head_code_at);
static_assert(head_code_at + tls::message_code_size == SealedRecord::head_size);
// Two hosts, or one host before and after its clock was set, differ by so much.
constexpr std::chrono::seconds clock_tolerance{300};

template <typename Number>
std::string bytes_of_number(Number value) {
  std::string bytes;
  auto rest = static_cast<std::uint64_t>(value);
  for (std::size_t i = 0; i < sizeof(Number); ++i, rest >>= 8U) {
    bytes += static_cast<char>(rest & 0xffU);
  }
  return bytes;
}

std::uint64_t number_at(std::string_view head, std::size_t at, std::size_t size) {
  std::uint64_t value = 0;
  for (std::size_t i = size; i > 0; --i) {
    value = (value << 8U) | static_cast<unsigned char>(head[at + i - 1]);
  }
  return value;
}

tls::MessageCode code_for(const Secret& token, std::string_view salt) {
  return {token, salt, "checkstack-satellite offline cache"};
}

/// The codes of head and texts are made with one key, so each says what it is of.
std::string head_message(std::string_view head) {
  return "head" + std::string(head.substr(0, head_code_at));
}

std::string texts_message(std::string_view texts) {
  return "texts" + std::string(texts);
}

Error damaged(const std::string& what) {
  return Error{ErrorCode::invalid_input, what};
}

Result<void> check_frame(std::string_view file) {
  if (file.size() < SealedRecord::head_size || !file.starts_with(magic)) {
    return damaged("it is no such file, or cut short");
  }
  if (number_at(file, version_at, 4) != version) {
    return Error{ErrorCode::unsupported, "another version of this program wrote it"};
  }
  return {};
}

Result<void> check_codes(std::string_view file, const Secret& token) {
  const auto code = code_for(token, file.substr(salt_at, salt_size));
  const std::string_view texts = file.substr(SealedRecord::head_size);
  const bool is_ours =
      code.is(file.substr(head_code_at, tls::message_code_size), head_message(file)) &&
      code.is(file.substr(texts_code_at, tls::message_code_size), texts_message(texts));
  if (is_ours) return {};
  return damaged("it is damaged, or was written with another token");
}

Result<void> check_origin(const OfflineRecord& record, const SealedRecord::Expected& expected) {
  if (record.client_id != expected.client_id) {
    return Error{ErrorCode::not_permitted, "it was written for another satellite id"};
  }
  const auto& urls = expected.core_urls;
  if (std::find(urls.begin(), urls.end(), record.core_url) == urls.end()) {
    return Error{ErrorCode::not_permitted, "it was written for a core that is not the one set"};
  }
  if (record.confirmed_at > expected.now + clock_tolerance.count()) {
    return Error{ErrorCode::timed_out,
                 "it is from a time that has not come, so its age is unknown; check the clock"};
  }
  if (expected.now - record.confirmed_at > expected.age_max.count()) {
    return Error{ErrorCode::timed_out,
                 "it is older than " + std::to_string(expected.age_max.count()) + " s"};
  }
  return {};
}

}  // namespace

SealedRecord::SealedRecord(const OfflineRecord& record, const Secret& token, std::string_view salt)
    : code_(code_for(token, salt)) {
  head_ = std::string(magic) + bytes_of_number(version) + std::string(salt) +
          bytes_of_number(record.confirmed_at);
  for (const std::string* text :
       {&record.core_url, &record.client_id, &record.policy_json, &record.set_frame}) {
    head_ += bytes_of_number(static_cast<std::uint32_t>(text->size()));
    texts_ += *text;
  }
  head_ += code_.of(texts_message(texts_));
  head_.resize(head_size);
  confirm(record.confirmed_at);
}

void SealedRecord::confirm(std::int64_t at) {
  head_.replace(time_at, sizeof at, bytes_of_number(at));
  head_.replace(head_code_at, tls::message_code_size, code_.of(head_message(head_)));
}

Result<OfflineRecord> SealedRecord::unseal(std::string_view file, const Expected& expected) {
  if (file.size() > size_max.value) {
    return Error{ErrorCode::limit_exceeded, "it is larger than any that this program writes"};
  }
  if (const auto checked = check_frame(file); !checked) return checked.error();
  // Nothing of the texts is looked at before it is known to be ours.
  if (const auto checked = check_codes(file, expected.token); !checked) return checked.error();
  OfflineRecord record;
  record.confirmed_at = static_cast<std::int64_t>(number_at(file, time_at, 8));
  std::string_view texts = file.substr(head_size);
  std::size_t at = sizes_at;
  for (std::string* const text :
       {&record.core_url, &record.client_id, &record.policy_json, &record.set_frame}) {
    const std::uint64_t size = number_at(file, at, 4);
    at += 4;
    if (size > texts.size()) return damaged("its sizes do not fit");
    *text = texts.substr(0, size);
    texts.remove_prefix(size);
  }
  if (!texts.empty()) return damaged("its sizes do not fit");
  if (const auto checked = check_origin(record, expected); !checked) return checked.error();
  return record;
}

}  // namespace satellite::agent
