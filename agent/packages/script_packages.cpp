#include "agent/packages/script_packages.hpp"

#include "agent/packages/imported_packages.hpp"

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <set>
#include <utility>

namespace satellite::agent {

namespace asio = boost::asio;
using namespace asio::experimental::awaitable_operators;

namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr std::chrono::hours collect_every{1};
constexpr std::chrono::seconds wait_for_packages_max{30};
constexpr auto without_throwing = asio::as_tuple(asio::use_awaitable);

}  // namespace

PackageLease::PackageLease(ScriptPackages& packages, std::string lockfile_hash)
    : packages_(&packages),
      lockfile_hash_(std::move(lockfile_hash)),
      directory_(packages.directory_ + "/trees/" + lockfile_hash_ + "/node_modules") {
  packages_->pin(lockfile_hash_);
}

PackageLease::PackageLease(PackageLease&& other) noexcept
    : packages_(std::exchange(other.packages_, nullptr)),
      lockfile_hash_(std::move(other.lockfile_hash_)),
      directory_(std::move(other.directory_)) {}

PackageLease& PackageLease::operator=(PackageLease&& other) noexcept {
  if (this == &other) return *this;
  end();
  packages_ = std::exchange(other.packages_, nullptr);
  lockfile_hash_ = std::move(other.lockfile_hash_);
  directory_ = std::move(other.directory_);
  return *this;
}

PackageLease::~PackageLease() {
  end();
}

void PackageLease::end() {
  if (packages_ != nullptr) packages_->unpin(lockfile_hash_);
  packages_ = nullptr;
}

ScriptPackages::ScriptPackages(asio::io_context& context, Log& log, PackagesPlace place,
                               Speak speak)
    : context_(context),
      log_(log),
      speak_(std::move(speak)),
      disk_(std::make_unique<PackageDisk>(std::move(place), stop_.get_token())),
      reply_timer_(context),
      retry_timer_(context),
      collect_timer_(context),
      changed_(context) {}

ScriptPackages::~ScriptPackages() {
  stop_.request_stop();
  join();
}

void ScriptPackages::join() {
  thread_.join();
}

asio::awaitable<void> ScriptPackages::run() {
  perform_all(machine_.start());
  while (!stop_.stop_requested()) {
    collect_timer_.expires_after(collect_every);
    co_await collect_timer_.async_wait(without_throwing);
    if (!stop_.stop_requested()) collect();
  }
}

void ScriptPackages::stop() {
  stop_.request_stop();
  reply_timer_.cancel();
  retry_timer_.cancel();
  collect_timer_.cancel();
  changed_.notify_all();
}

void ScriptPackages::connection_up(const protocol::ScriptPackagesStatement& statement) {
  step(ConnectionUp{statement.made});
  receive(statement);
}

void ScriptPackages::connection_lost() {
  step(ConnectionLost{std::exchange(lost_by_large_frame_, false)});
}

void ScriptPackages::receive(const protocol::ScriptPackagesStatement& statement) {
  if (statement.made) step(PackagesWanted{statement.lockfile_hash});
}

void ScriptPackages::receive(protocol::ScriptPackageManifest message) {
  step(ManifestCame{std::move(message)});
}

void ScriptPackages::receive(protocol::ScriptPackageBlob message) {
  step(BlobCame{std::move(message)});
}

void ScriptPackages::step(SyncEvent event) {
  if (stop_.stop_requested()) return;
  const double random = std::uniform_real_distribution<double>(0.0, 1.0)(random_);
  perform_all(machine_.on(std::move(event), {SteadyClock::now(), random}));
  changed_.notify_all();
}

void ScriptPackages::perform_all(SyncActions actions) {
  for (SyncAction& action : actions) {
    std::visit([this](auto&& one) { perform(std::move(one)); }, std::move(action));
  }
}

void ScriptPackages::perform(const Say& action) {
  std::visit([this](const auto& message) { speak_(protocol::AgentMessage(message)); },
             action.message);
}

void ScriptPackages::perform(const ArmReply& action) {
  reply_timer_.expires_after(action.in);
  reply_timer_.async_wait([this](const boost::system::error_code& failure) {
    // Armed anew or disarmed while this was on its way.
    if (!failure && SteadyClock::now() >= reply_timer_.expiry()) step(ReplyLate{});
  });
}

void ScriptPackages::perform(const DisarmReply&) {
  reply_timer_.expires_at(SteadyClock::time_point::max());
}

void ScriptPackages::perform(const ArmRetry& action) {
  retry_timer_.expires_after(action.in);
  retry_timer_.async_wait([this](const boost::system::error_code& failure) {
    if (!failure && SteadyClock::now() >= retry_timer_.expiry()) step(RetryDue{});
  });
}

void ScriptPackages::perform(const LogSync& action) {
  const auto write = action.level == LogLevel::error  ? &Log::error
                     : action.level == LogLevel::warn ? &Log::warn
                                                      : &Log::info;
  (log_.*write)(action.event, action.text, {});
}

void ScriptPackages::start_work(Work work) {
  asio::post(thread_, [this, work = std::move(work)] {
    auto event = work(*disk_);
    auto remarks = disk_->take_remarks();
    std::string directory = disk_->directory();
    asio::post(context_, [this, event = std::move(event), remarks = std::move(remarks),
                          directory = std::move(directory)]() mutable {
      directory_ = std::move(directory);
      for (const std::string& remark : remarks) log_.info("packages_note", remark);
      if (event) step(*std::move(event));
    });
  });
}

void ScriptPackages::perform(const OpenDirectory&) {
  start_work([](PackageDisk& disk) { return DirectoryOpened{disk.open()}; });
}

void ScriptPackages::perform(const LookForTree& action) {
  start_work([hash = action.lockfile_hash](PackageDisk& disk) {
    return TreeLookedFor{disk.look_for(hash)};
  });
}

void ScriptPackages::perform(CompareManifest action) {
  start_work([message = std::move(action.message)](PackageDisk& disk) {
    return ManifestCompared{disk.compare(message)};
  });
}

void ScriptPackages::perform(TakeBlob action) {
  // A blob has megabytes, and a function object may be copied: the text is not.
  start_work([package = std::move(action.package),
              base64 = std::make_shared<const std::string>(std::move(action.base64))](
                 PackageDisk& disk) { return BlobTaken{disk.take_blob(package, *base64)}; });
}

void ScriptPackages::perform(BuildTree action) {
  start_work([manifest = std::move(action.manifest)](PackageDisk& disk) {
    return TreeBuilt{disk.build(manifest)};
  });
}

void ScriptPackages::perform(const UseTree& action) {
  start_work([hash = action.lockfile_hash](PackageDisk& disk) -> std::optional<SyncEvent> {
    // For people and for the next start: what runs get does not depend on it.
    static_cast<void>(disk.use(hash));
    return std::nullopt;
  });
  collect();
}

void ScriptPackages::collect() {
  std::set<std::string> kept;
  for (const auto& [hash, count] : pins_) kept.insert(hash);
  for (const auto& hash : {machine_.wanted(), machine_.present()}) {
    if (hash) kept.insert(*hash);
  }
  start_work([kept = std::move(kept)](PackageDisk& disk) -> std::optional<SyncEvent> {
    disk.collect(kept);
    return std::nullopt;
  });
}

void ScriptPackages::unpin(const std::string& lockfile_hash) {
  const auto found = pins_.find(lockfile_hash);
  if (found != pins_.end() && --found->second == 0) pins_.erase(found);
}

asio::awaitable<Result<PackageLease>> ScriptPackages::take(std::string_view script,
                                                           SteadyClock::time_point until,
                                                           const sandbox::CancelSwitch& cancel) {
  return wait_for_tree(imports_packages(script) ? Imports::packages : Imports::no_package, until,
                       cancel);
}

asio::awaitable<Result<PackageLease>> ScriptPackages::wait_for_tree(
    Imports imports, SteadyClock::time_point until, const sandbox::CancelSwitch& cancel) {
  const auto deadline = std::min(until, SteadyClock::now() + wait_for_packages_max);
  asio::steady_timer alarm(context_);
  while (true) {
    // What was in use before a restart is known once the directory is open.
    const bool is_known = machine_.state() != SyncState::opening;
    if (is_known && !machine_.wants_tree()) co_return PackageLease();
    if (is_known && machine_.is_ready()) co_return PackageLease(*this, *machine_.present());
    if (imports == Imports::no_package) co_return PackageLease();
    if (cancel.cancelled() || stop_.stop_requested()) {
      co_return Error{ErrorCode::cancelled, "the run was stopped"};
    }
    if (machine_.is_hopeless() || SteadyClock::now() >= deadline) {
      co_return Error{ErrorCode::unavailable,
                      "Script packages are not ready: " + machine_.why_not_ready()};
    }
    alarm.expires_at(deadline);
    co_await (changed_.wait() || alarm.async_wait(without_throwing) || cancel.wait());
  }
}

}  // namespace satellite::agent
