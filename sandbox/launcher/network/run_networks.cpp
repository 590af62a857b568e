#include "sandbox/launcher/network/run_networks.hpp"

#include <algorithm>
#include <utility>

namespace satellite::sandbox {

void RunNetworks::begin(Waiting run) {
  const std::uint64_t number = run.order.run_number;
  Entry entry;
  entry.egress = run.order.network->egress;
  entry.waiting = std::move(run);
  entries_.insert_or_assign(number, std::move(entry));
  advance(number);
}

bool RunNetworks::macvlan_is_taken() const {
  return std::any_of(entries_.begin(), entries_.end(), [](const auto& one) {
    return one.second.egress == Egress::macvlan && one.second.network != nullptr;
  });
}

/// Nothing of the run is left, or will be started, but its network.
void RunNetworks::close_entry(Entry& entry, std::optional<LauncherRecord> last_record) {
  entry.stage = Stage::closing;
  entry.waiting.reset();
  entry.last_record = std::move(last_record);
  if (entry.network) entry.network->end();
}

void RunNetworks::start_network(Entry& entry) {
  if (auto ready = events_.take_ready(entry.waiting->order)) {
    entry.network = RunNetwork::begin_with(entry.waiting->order, means_, *std::move(ready));
    entry.stage = Stage::building;
    return;
  }
  auto begun = RunNetwork::begin(entry.waiting->order, means_);
  if (!begun) {
    const std::uint64_t number = entry.waiting->order.run_number;
    return close_entry(entry, LauncherRecord{number, std::move(begun).error()});
  }
  entry.network = *std::move(begun);
  entry.stage = Stage::building;
}

void RunNetworks::start_run(Entry& entry) {
  const std::uint64_t number = entry.waiting->order.run_number;
  if (entry.network->failure()) {
    return close_entry(entry, LauncherRecord{number, *entry.network->failure()});
  }
  if (!entry.network->has_namespace()) return;
  entry.stage = Stage::joined;
  auto started =
      events_.may_join(*std::exchange(entry.waiting, std::nullopt), entry.network->namespaces());
  if (started) entry.network->raise();
  entry.network->close_namespaces();
  if (!started) close_entry(entry, LauncherRecord{number, std::move(started).error()});
}

void RunNetworks::report(std::uint64_t run_number, Entry& entry) {
  if (entry.network->is_ready()) {
    entry.stage = Stage::reported;
    events_.ready(run_number, entry.network->facts());
  } else if (entry.network->failure()) {
    entry.stage = Stage::reported;
    events_.failed(run_number, *entry.network->failure());
  }
}

/// Does whatever has become possible for one run; the entry may be gone afterwards.
void RunNetworks::advance(std::uint64_t run_number) {
  const auto found = entries_.find(run_number);
  if (found == entries_.end()) return;
  Entry& entry = found->second;
  const bool has_its_turn = entry.egress != Egress::macvlan || !macvlan_is_taken();
  if (entry.stage == Stage::queued && has_its_turn) start_network(entry);
  if (entry.stage == Stage::building) start_run(entry);
  if (entry.stage == Stage::joined) report(run_number, entry);
  if (entry.stage != Stage::closing || (entry.network && !entry.network->is_over())) return;
  const auto record = std::move(entry.last_record);
  entries_.erase(found);
  if (record) events_.ended(*record);
  advance_all();
}

/// An address became free: the next one may have it.
void RunNetworks::advance_all() {
  for (auto one = entries_.begin(); one != entries_.end(); ++one) {
    if (one->second.stage == Stage::queued) return advance(one->first);
  }
}

void RunNetworks::cancel(std::uint64_t run_number) {
  const auto found = entries_.find(run_number);
  if (found == entries_.end() || !found->second.waiting) return;
  RunSetupFailed failure{SetupStep::network_namespace, 0, 0, "ended before its network was ready"};
  close_entry(found->second, LauncherRecord{run_number, std::move(failure)});
  advance(run_number);
}

void RunNetworks::cancel_all() {
  std::vector<std::uint64_t> numbers;
  for (const auto& [number, entry] : entries_) numbers.push_back(number);
  for (const auto number : numbers) cancel(number);
}

bool RunNetworks::end_uplink(std::uint64_t run_number) {
  const auto found = entries_.find(run_number);
  if (found == entries_.end() || !found->second.network) return false;
  found->second.network->end();
  return found->second.network->lost_uplink();
}

bool RunNetworks::lost_uplink(std::uint64_t run_number) const {
  const auto found = entries_.find(run_number);
  return found != entries_.end() && found->second.network && found->second.network->lost_uplink();
}

void RunNetworks::close_silently(std::uint64_t run_number) {
  const auto found = entries_.find(run_number);
  if (found == entries_.end()) return;
  // A record that waits for the network's end is still to be sent.
  if (found->second.stage != Stage::closing) close_entry(found->second, std::nullopt);
  advance(run_number);
}

bool RunNetworks::close(LauncherRecord record) {
  const auto found = entries_.find(record.run_number);
  if (found == entries_.end() || !found->second.network) return false;
  Entry& entry = found->second;
  entry.network->end();
  if (auto* ended = std::get_if<RunEnded>(&record.event)) {
    ended->lost_uplink = entry.network->lost_uplink();
  }
  const std::uint64_t number = record.run_number;
  close_entry(entry, std::move(record));
  advance(number);
  return true;
}

void RunNetworks::watch(std::vector<pollfd>& watched) const {
  for (const auto& [number, entry] : entries_) {
    if (entry.network && entry.network->watched_fd() >= 0) {
      watched.push_back({entry.network->watched_fd(), POLLIN, 0});
    }
  }
}

void RunNetworks::work_off(std::span<const pollfd> watched) {
  const auto has_news = [&watched](int fd) {
    return std::any_of(watched.begin(), watched.end(), [fd](const pollfd& one) {
      return fd >= 0 && one.fd == fd && one.revents != 0;
    });
  };
  std::vector<std::uint64_t> numbers;
  for (const auto& [number, entry] : entries_) {
    if (entry.network && has_news(entry.network->watched_fd())) numbers.push_back(number);
  }
  for (const auto number : numbers) {
    const auto found = entries_.find(number);
    if (found == entries_.end() || !found->second.network) continue;
    found->second.network->on_readable();
    advance(number);
  }
}

bool RunNetworks::on_exit(pid_t pid) {
  for (const auto& [number, entry] : entries_) {
    if (!entry.network || !entry.network->on_exit(pid)) continue;
    advance(std::uint64_t{number});
    return true;
  }
  return false;
}

void RunNetworks::fail_overdue(RunNetwork::Clock::time_point now) {
  std::vector<std::uint64_t> numbers;
  for (const auto& [number, entry] : entries_) {
    if (!entry.network || !entry.network->deadline()) continue;
    entry.network->fail_if_overdue(now);
    if (entry.network->failure()) numbers.push_back(number);
  }
  for (const auto number : numbers) advance(number);
}

std::optional<RunNetwork::Clock::time_point> RunNetworks::deadline() const {
  std::optional<RunNetwork::Clock::time_point> first;
  for (const auto& [number, entry] : entries_) {
    const auto at = entry.network ? entry.network->deadline() : std::nullopt;
    if (at && (!first || *at < *first)) first = at;
  }
  return first;
}

std::vector<pid_t> RunNetworks::processes() const {
  std::vector<pid_t> all;
  for (const auto& [number, entry] : entries_) {
    if (!entry.network) continue;
    for (const pid_t pid : entry.network->processes()) all.push_back(pid);
  }
  return all;
}

}  // namespace satellite::sandbox
