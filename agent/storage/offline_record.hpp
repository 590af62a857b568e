#pragma once

#include "protocol/vocabulary/byte_count.hpp"
#include "protocol/vocabulary/result.hpp"
#include "protocol/vocabulary/secret.hpp"
#include "tls/message_code.hpp"

#include <chrono>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace satellite::agent {

/// What a satellite may work with after a restart without a core.
///
/// Shape:  texts as the core wrote them; judged by those who judge what a core sends.
/// Units:  seconds of the wall clock since 1970.
struct OfflineRecord {
  std::string core_url;   ///< of the core that said it
  std::string client_id;  ///< of the satellite that it was said to
  std::string policy_json;
  std::string set_frame;          ///< a `config_updated` with the set of checks
  std::int64_t confirmed_at = 0;  ///< when it was the core's word for certain
};

/// A record in the form that lies on disk: a head of fixed size and the texts. Both carry a code
/// made with a key that is derived from the token, so that a file of another satellite, of another
/// token, or with one bit changed is not taken for ours.
///
/// Shape:  the head alone says when the record was confirmed, and can be written anew without the
///         texts.
/// Errors: invalid_input = damaged, or made with another token, which nothing can tell apart;
///         not_permitted = made for another core or another id; timed_out = older than permitted,
///         or from a time that has not come, so that nobody knows how old it is; unsupported = of a
///         later version; limit_exceeded. None repeats what is in the file.
/// Source: agent/README.md "Offline".
class SealedRecord {
 public:
  static constexpr std::size_t head_size = 124;
  static constexpr std::size_t salt_size = 16;
  static constexpr ByteCount size_max{64U << 20U};

  /// `salt`: so many random bytes.
  SealedRecord(const OfflineRecord& record, const Secret& token, std::string_view salt);

  /// The same texts, confirmed at another time.
  void confirm(std::int64_t at);
  const std::string& head() const { return head_; }
  const std::string& texts() const { return texts_; }
  /// They are on disk, and the head alone is written from now on.
  void drop_texts() { std::string().swap(texts_); }

  struct Expected {
    const Secret& token;
    std::span<const std::string> core_urls;  ///< any of these
    std::string_view client_id;
    std::int64_t now = 0;
    std::chrono::seconds age_max{0};
  };
  static Result<OfflineRecord> unseal(std::string_view file, const Expected& expected);

 private:
  tls::MessageCode code_;
  std::string head_, texts_;
};

}  // namespace satellite::agent
