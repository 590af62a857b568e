#include "agent/intake/offline_cache.hpp"

#include "agent/storage/offline_file.hpp"
#include "protocol/decode.hpp"

#include <sys/random.h>

#include <nlohmann/json.hpp>
#include <stdexcept>
#include <utility>
#include <variant>

namespace satellite::agent {

using namespace std::chrono_literals;

namespace {

// A core says policy and checks in two frames at times, and edits come in bursts.
constexpr std::chrono::milliseconds write_after = 500ms;
constexpr std::chrono::milliseconds confirm_every = 10min, retry_after = 30s;
// Without a limit of the operator a policy on disk still must not hold for ever.
constexpr std::chrono::hours age_max_without_limit{24 * 7};
constexpr std::string_view cache_subject = "offline_cache";

std::int64_t wall_seconds() {
  const auto since = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::seconds>(since).count();
}

std::string fresh_salt() {
  std::string salt(SealedRecord::salt_size, '\0');
  // So few bytes come whole, and at once since the host has booted.
  if (::getrandom(salt.data(), salt.size(), 0) != static_cast<ssize_t>(salt.size())) {
    throw std::runtime_error("getrandom gave no random bytes");
  }
  return salt;
}

/// What the thread of the disk is asked to read, and what came of it.
struct Read {
  std::string file, client_id;
  std::vector<std::string> core_urls;
  Secret token;
  std::chrono::seconds age_max;
  Result<OfflineCache::Restored> restored = Error{ErrorCode::not_found, "not read"};

  Result<OfflineCache::Restored> read() const {
    const auto content = read_private_file(file, SealedRecord::size_max);
    if (!content) return content.error();
    const std::int64_t now = wall_seconds();
    auto record = SealedRecord::unseal(*content, {token, core_urls, client_id, now, age_max});
    if (!record) return record.error();
    auto message = protocol::decode(record->set_frame);
    auto* const set = message ? std::get_if<protocol::ConfigUpdated>(&*message) : nullptr;
    if (set == nullptr) {
      return Error{ErrorCode::invalid_input, "the checks in it cannot be read"};
    }
    const std::chrono::seconds age{std::max<std::int64_t>(0, now - record->confirmed_at)};
    return OfflineCache::Restored{std::move(record->policy_json), std::move(*set), age};
  }
};

}  // namespace

/// One piece of work for the thread of the disk.
struct OfflineCache::Write {
  std::string file;
  bool is_news = false;                 ///< what the file says until now does not hold any more
  std::optional<OfflineRecord> record;  ///< nothing = only the head
  Secret token;
  std::int64_t now = 0;
  std::optional<SealedRecord> sealed;
  Result<void> done = Error{ErrorCode::internal, "not written"};

  void perform() {
    if (record) {
      record->confirmed_at = now;
      sealed.emplace(*record, token, fresh_salt());
      done = replace_private_file(file, sealed->head() + sealed->texts());
      sealed->drop_texts();
      record.reset();
    } else if (sealed) {
      sealed->confirm(now);
      done = overwrite_head(file, sealed->head());
    }
  }
};

OfflineCache::OfflineCache(boost::asio::io_context& context, Log& log, const Config& config,
                           Store& store, const TokenWatch& token, DegradedStates& degraded,
                           Place place)
    : log_(log),
      config_(config),
      store_(store),
      token_(token),
      degraded_(degraded),
      place_(std::move(place)),
      is_on_(config.offline_cache && !place_.file.empty()),
      timer_(context) {
  record_.client_id = config.client_id;
}

void OfflineCache::open(std::function<void(Restored)> restored) {
  if (config_.offline_cache && place_.file.empty()) {
    const char* const why = "there is no state directory: a restart without a core has no checks";
    degraded_.enter(cache_subject, "offline_cache_missing", why);
    return log_.warn("offline_cache_missing", why);
  }
  if (!is_on_) return remove();
  const auto read = std::make_shared<Read>();
  read->file = place_.file;
  read->client_id = config_.client_id;
  read->core_urls = place_.core_urls;
  read->token = token_.token().duplicate();
  const bool is_limited = config_.policy_age_max.count() > 0;
  read->age_max = is_limited ? config_.policy_age_max : age_max_without_limit;
  store_.perform([read] { read->restored = read->read(); },
                 [this, read, restored = std::move(restored)] {
                   auto& came = read->restored;
                   if (came) return restored(*std::move(came));
                   if (came.error().code == ErrorCode::not_found) return;
                   log_.warn("offline_cache_refused",
                             place_.file + " is not used: " + came.error().message,
                             {{"error_code", came.error().code}});
                 });
}

void OfflineCache::note_policy(const std::string& policy_json) {
  if (!is_on_) return;
  is_current_ = true;
  if (record_.policy_json == policy_json && !is_changed_ && sealed_) return;
  record_.policy_json = policy_json;
  is_changed_ = true;
  arm(write_after);
}

void OfflineCache::note_set(std::string set_json,
                            const protocol::ScriptPackagesStatement& packages) {
  if (!is_on_) return;
  record_.set_frame = R"({"type":"config_updated","assignments":)" + std::move(set_json);
  if (packages.made) {
    const nlohmann::json hash =
        packages.lockfile_hash ? nlohmann::json(*packages.lockfile_hash) : nlohmann::json(nullptr);
    record_.set_frame += R"(,"scriptPackagesLockfileHash":)" + hash.dump();
  }
  record_.set_frame += "}";
  is_changed_ = true;
  arm(write_after);
}

void OfflineCache::connection_up(const std::string& core_url) {
  if (!is_on_) return;
  record_.core_url = core_url;
  is_changed_ = true;  // also because this core may have accepted another token
  arm(write_after);
}

void OfflineCache::connection_lost() {
  // What came last is written when the disk has what came before.
  owes_write_ = is_on_ && is_current_ && is_writing_ && is_changed_;
  if (is_on_ && is_current_) write();
  is_current_ = false;
  timer_.cancel();
}

void OfflineCache::forget() {
  record_.policy_json.clear();
  record_.set_frame.clear();
  sealed_.reset();
  is_changed_ = owes_write_ = false;
  is_current_ = false;
  timer_.cancel();
  if (is_on_) remove();
}

void OfflineCache::remove() {
  if (place_.file.empty()) return;
  store_.perform([file = place_.file] { static_cast<void>(remove_file(file)); }, [] {});
}

void OfflineCache::arm(std::chrono::milliseconds wait) {
  timer_.expires_after(wait);
  timer_.async_wait([this](const boost::system::error_code& failure) {
    if (!failure) write();
  });
}

/// Only what this connection's core stated: a policy that it does not speak of may be old.
void OfflineCache::write() {
  const bool is_whole = !record_.policy_json.empty() && !record_.set_frame.empty();
  if (!(is_current_ || owes_write_) || !is_whole || is_writing_) return;
  if (!is_changed_) return confirm();
  auto write = std::make_shared<Write>();
  write->record = record_;
  write->token = token_.token().duplicate();
  write->is_news = true;
  is_changed_ = owes_write_ = false;
  start(std::move(write));
}

void OfflineCache::confirm() {
  if (!sealed_) return;
  auto write = std::make_shared<Write>();
  write->sealed = std::move(sealed_);
  sealed_.reset();
  start(std::move(write));
}

void OfflineCache::start(std::shared_ptr<Write> write) {
  is_writing_ = true;
  write->file = place_.file;
  write->now = wall_seconds();
  store_.perform([write] { write->perform(); }, [this, write] { written(*write); });
}

void OfflineCache::written(Write& write) {
  is_writing_ = false;
  if (record_.set_frame.empty()) return remove();  // forgotten meanwhile
  // An older word of the core must not outlive a newer one, which may be stricter.
  if (!write.done && write.is_news) remove();
  if (write.done) {
    sealed_ = std::move(write.sealed);
    degraded_.leave(cache_subject);
  } else if (degraded_.find(cache_subject) == nullptr) {
    log_.warn("offline_cache_unwritable", write.done.error().message,
              {{"error_code", write.done.error().code}});
    degraded_.enter(cache_subject, "offline_cache_unwritable", write.done.error().message);
  }
  if (is_current_) arm(!write.done ? retry_after : is_changed_ ? write_after : confirm_every);
  if (!write.done) is_changed_ = true;
  if (owes_write_) this->write();
}

}  // namespace satellite::agent
