#include "agent/storage/check_states.hpp"

#include "agent/storage/offline_file.hpp"
#include "protocol/vocabulary/directory.hpp"
#include "protocol/vocabulary/printable.hpp"
#include "protocol/vocabulary/unique_fd.hpp"
#include "sandbox/state/packed_state.hpp"
#include "tls/digest.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cerrno>
#include <chrono>
#include <utility>

namespace satellite::agent {

namespace asio = boost::asio;
using namespace asio::experimental::awaitable_operators;

namespace {

// A check must not wait long for what it may do without.
constexpr std::chrono::seconds disk_answers_within{5};
constexpr ByteCount file_overhead_max{16U << 20U};  // paths and heads beyond the content

struct StateBeginning {
  std::string bytes;
  std::uint64_t size = 0;  ///< of the whole file
};

/// The first bytes of a file; nothing for what is none, or cannot be read.
std::optional<StateBeginning> beginning_of(int directory, const std::string& name) {
  const UniqueFd file(
      ::openat(directory, name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  struct stat facts {};
  if (!file || ::fstat(file.get(), &facts) != 0 || !S_ISREG(facts.st_mode)) return std::nullopt;
  StateBeginning beginning{std::string(state_head_size_max, '\0'),
                           static_cast<std::uint64_t>(facts.st_size)};
  const ssize_t got = ::pread(file.get(), beginning.bytes.data(), beginning.bytes.size(), 0);
  if (got < 0) return std::nullopt;
  beginning.bytes.resize(static_cast<std::size_t>(got));
  return beginning;
}

bool is_name_of_state(const std::string& name) {
  return name.size() == state_file_name({}).size() &&
         name.find_first_not_of("0123456789abcdef") == std::string::npos;
}

}  // namespace

/// On the thread of the disk: what is there. Halves of writes are removed, and what was read and
/// is damaged; anything else may be somebody's, or be readable the next time.
struct CheckStates::Listing {
  std::string directory;
  std::map<StateKey, std::uint64_t> found;
  ByteCount bytes;
  bool is_whole = true;  ///< false: a state may be there that was not found

  void look_at(int place, const std::string& name) {
    if (name.ends_with(".new")) {
      ::unlinkat(place, name.c_str(), 0);
      return;
    }
    if (!is_name_of_state(name)) return;
    const auto beginning = beginning_of(place, name);
    if (!beginning || is_of_another_version(beginning->bytes)) {
      is_whole = false;
      return;
    }
    auto key = read_state_key(beginning->bytes);
    if (!key || state_file_name(*key) != name) {
      ::unlinkat(place, name.c_str(), 0);
      return;
    }
    const ByteCount size{beginning->size};
    if (found.size() >= count_max || bytes + size > bytes_max) {
      is_whole = false;
      return;
    }
    bytes += size;
    found.emplace(*std::move(key), size.value);
  }

  void perform() {
    const UniqueFd place(
        ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    UniqueFd copy(::openat(place.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!place || !copy) return;
    const Directory listing(::fdopendir(copy.get()));
    if (!listing) return;
    static_cast<void>(copy.release());
    while (const dirent* entry = ::readdir(listing.get())) {
      look_at(place.get(), entry->d_name);
    }
  }
};

struct CheckStates::Reading {
  std::string path;
  StateKey key;
  ByteCount size_max;
  bool is_done = false;
  std::string digest;
  /// With what is kept in it.
  Result<std::shared_ptr<const UniqueFd>> copy =
      Error{ErrorCode::unavailable, "the disk of the state directory does not answer"};

  /// Neither digest nor copy is for the event loop: a state may have 64 MiB.
  void perform() {
    const auto file = read_private_file(path, size_max + file_overhead_max);
    if (!file) {
      copy = file.error();
      return;
    }
    const auto body = decode_check_state(*file, key);
    if (!body) {
      copy = body.error();
      return;
    }
    const auto entries = sandbox::read_packed_state(*body, size_max);
    if (!entries) {
      copy = entries.error();
      return;
    }
    digest = tls::sha256_of(*body);
    copy = sandbox::make_state_file(*body);
  }
};

struct CheckStates::Writing {
  std::string directory, path;
  StateKey key;
  std::shared_ptr<const UniqueFd> file;
  std::string digest_before;
  ByteCount size_max;
  Result<void> done;

  Result<void> write() {
    const auto packed = sandbox::read_state_file(file->get(), size_max);
    if (!packed) return packed.error();
    if (tls::sha256_of(*packed) == digest_before) return {};
    // Written by a process of the script's user: read as critically as what comes from the disk.
    const auto entries = sandbox::read_packed_state(*packed, size_max);
    if (!entries) return entries.error();
    if (entries->empty()) return remove_file(path);
    if (::mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST) {
      return error_from_errno("mkdir " + directory, errno);
    }
    return replace_private_file(path, encode_check_state(key, *packed));
  }
  void perform() {
    done = write();
    file.reset();
  }
};

CheckStates::CheckStates(asio::io_context& context, Log& log, Store& store, Place place,
                         ByteCount size_max)
    : context_(context),
      log_(log),
      store_(store),
      place_(std::move(place)),
      size_max_(size_max),
      listed_(context) {}

std::string CheckStates::path_of(const StateKey& key) const {
  return place_.directory + "/" + state_file_name(key);
}

void CheckStates::open() {
  if (place_.directory.empty()) {
    if (size_max_.value > 0) {
      log_.warn("check_state_not_kept",
                "host_view.state is set, and no check keeps anything: " + place_.why_not);
    }
    return;
  }
  const auto listing = std::make_shared<Listing>();
  listing->directory = place_.directory;
  store_.perform([listing] { listing->perform(); },
                 [this, listing] {
                   sizes_ = std::move(listing->found);
                   bytes_ = listing->bytes;
                   is_whole_ = listing->is_whole;
                   is_listed_ = true;
                   if (size_max_.value == 0) collects_ = [](const std::string&) { return false; };
                   listed_.notify_all();
                   if (collects_) collect(std::exchange(collects_, nullptr));
                 });
}

/// False where the disk does not say what is there.
asio::awaitable<bool> CheckStates::until_listed() {
  asio::steady_timer patience(context_, disk_answers_within);
  constexpr auto token = asio::as_tuple(asio::use_awaitable);
  while (!is_listed_ && patience.expiry() > std::chrono::steady_clock::now()) {
    auto told = listed_.wait();
    auto late = patience.async_wait(token);
    co_await (std::move(told) || std::move(late));
  }
  co_return is_listed_;
}

void CheckStates::begin_with_nothing(Loan& loan, std::string why_not_kept) {
  auto file = sandbox::make_state_file({});
  if (file) {
    loan.state_ = sandbox::KeptState{*std::move(file), std::move(why_not_kept), {}};
    return;
  }
  // The run makes a file of its own, or fails for the same reason.
  loan.state_ = sandbox::KeptState{nullptr, "no memory for it: " + file.error().message, {}};
}

asio::awaitable<CheckStates::Loan> CheckStates::take(StateKey key) {
  Loan loan;
  if (size_max_.value == 0) co_return loan;
  if (place_.directory.empty()) {
    begin_with_nothing(loan, place_.why_not);
    co_return loan;
  }
  const bool is_known = co_await until_listed();
  if (!is_known) {
    begin_with_nothing(loan, "the disk of the state directory does not answer");
    co_return loan;
  }
  if (key.check.size() > state_key_size_max || key.collector.size() > state_key_size_max) {
    begin_with_nothing(loan, "the ids of its check are longer than 4,096 bytes");
    co_return loan;
  }
  loan.key_ = std::move(key);
  const bool is_first = lent_.try_emplace(loan.key_, next_loan_).second;
  if (is_first) {
    loan.states_ = this;
    loan.number_ = next_loan_++;
  }
  co_await read_into(loan);
  if (!is_first && loan.state_ && loan.state_->not_kept.empty()) {
    loan.state_->not_kept = "another run of this check is under way";
  }
  co_return loan;
}

asio::awaitable<void> CheckStates::read_into(Loan& loan) {
  if (is_whole_ && !sizes_.contains(loan.key_)) {
    begin_with_nothing(loan, {});
    co_return;
  }
  const auto reading = std::make_shared<Reading>();
  reading->path = path_of(loan.key_);
  reading->key = loan.key_;
  reading->size_max = size_max_;
  // Shared: a disk that hangs may answer when nobody waits any more.
  const auto answered = std::make_shared<asio::steady_timer>(context_, disk_answers_within);
  store_.perform([reading] { reading->perform(); },
                 [reading, answered] {
                   reading->is_done = true;
                   answered->cancel();
                 });
  constexpr auto token = asio::as_tuple(asio::use_awaitable);
  co_await answered->async_wait(token);
  if (!reading->is_done) {
    begin_with_nothing(loan, "the disk of the state directory does not answer");
    co_return;
  }
  if (reading->copy) {
    loan.digest_before_ = std::move(reading->digest);
    loan.state_ = sandbox::KeptState{*std::move(reading->copy), {}, {}};
    co_return;
  }
  const Error& problem = reading->copy.error();
  const bool is_useless =
      problem.code == ErrorCode::invalid_input || problem.code == ErrorCode::limit_exceeded;
  const bool is_kept = is_useless || problem.code == ErrorCode::not_found;
  begin_with_nothing(loan, is_kept ? std::string() : problem.message);
  // It will never be of use again: what the script makes now takes its place.
  if (is_useless) loan.state_->lost = problem.message;
}

CheckStates::Loan::Loan(Loan&& other) noexcept
    : states_(std::exchange(other.states_, nullptr)),
      number_(other.number_),
      key_(std::move(other.key_)),
      digest_before_(std::move(other.digest_before_)),
      state_(std::move(other.state_)) {}

CheckStates::Loan::~Loan() {
  give_back(false);
}

void CheckStates::Loan::give_back(bool has_new_state) {
  CheckStates* const states = std::exchange(states_, nullptr);
  if (states == nullptr) return;
  // Its check may have gone meanwhile, and its state with it; it may even be back.
  const auto lent = states->lent_.find(key_);
  if (lent == states->lent_.end() || lent->second != number_) return;
  states->lent_.erase(lent);
  const bool is_kept = has_new_state && state_ && state_->file;
  if (is_kept) states->keep(key_, digest_before_, *state_);
}

void CheckStates::tell_not_kept(const StateKey& key, const std::string& why) {
  const auto check = key.check.substr(0, key.check.find('\0'));
  log_.warn("check_state_not_kept", why,
            {{"check", printable(check)}, {"collector", printable(key.collector)}});
}

void CheckStates::keep(const StateKey& key, const std::string& digest_before,
                       const sandbox::KeptState& state) {
  struct stat facts {};
  if (::fstat(state.file->get(), &facts) != 0) return;
  const ByteCount size{static_cast<std::uint64_t>(facts.st_size)};
  const auto before = sizes_.find(key);
  const ByteCount freed{before == sizes_.end() ? 0 : before->second};
  const bool fits =
      (before != sizes_.end() || sizes_.size() < count_max) && bytes_ - freed + size <= bytes_max;
  if (!fits) return tell_not_kept(key, "as many states are kept as may be: 4,096, and 1 GiB");
  if (store_.fault() == StoreFault::full || store_.fault() == StoreFault::hanging) {
    return tell_not_kept(key, store_.why());
  }
  bytes_ = bytes_ - freed + size;
  sizes_.erase(key);
  if (size.value > 0) sizes_.emplace(key, size.value);
  const auto writing = std::make_shared<Writing>();
  *writing = {place_.directory, path_of(key), key, state.file, digest_before, size_max_, {}};
  store_.perform([writing] { writing->perform(); },
                 [this, writing] {
                   if (!writing->done) tell_not_kept(writing->key, writing->done.error().message);
                 });
}

void CheckStates::forget(const std::vector<StateKey>& keys) {
  if (keys.empty()) return;
  std::vector<std::string> paths;
  for (const auto& key : keys) {
    paths.push_back(path_of(key));
    bytes_ -= ByteCount{sizes_.at(key)};
    sizes_.erase(key);
  }
  store_.perform(
      [paths = std::move(paths)] {
        for (const auto& path : paths) static_cast<void>(remove_file(path));
      },
      [] {});
}

void CheckStates::collect(std::function<bool(const std::string& check)> is_wanted) {
  if (place_.directory.empty()) return;
  if (!is_listed_) {
    collects_ = std::move(is_wanted);
    return;
  }
  std::erase_if(lent_, [&is_wanted](const auto& loan) { return !is_wanted(loan.first.check); });
  std::vector<StateKey> gone;
  for (const auto& [key, size] : sizes_) {
    if (!is_wanted(key.check)) gone.push_back(key);
  }
  forget(gone);
}

void CheckStates::collect_others(const std::string& check,
                                 const std::vector<std::string>& collectors) {
  std::vector<StateKey> gone;
  for (auto at = sizes_.lower_bound({check, {}}); at != sizes_.end() && at->first.check == check;
       ++at) {
    const bool is_there =
        std::find(collectors.begin(), collectors.end(), at->first.collector) != collectors.end();
    if (!is_there && !lent_.contains(at->first)) gone.push_back(at->first);
  }
  forget(gone);
}

}  // namespace satellite::agent
