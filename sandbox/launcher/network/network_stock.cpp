#include "sandbox/launcher/network/network_stock.hpp"

#include "sandbox/kernel/socket_messages.hpp"
#include "sandbox/launcher/bare/clone_on_stack.hpp"
#include "sandbox/launcher/bare/raw_syscall.hpp"

#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <string>
#include <utility>

namespace satellite::sandbox {
namespace {

using namespace std::chrono_literals;

// Enough for runs that begin one after the other, and for a few at once. Each costs kernel memory;
// a process that makes several costs hardly more than one that makes one.
constexpr std::size_t stock_max = 8, refilled_below = 4;
constexpr auto kept_unused_max = 10min;
constexpr auto stock_build_time_max = 5s;
constexpr auto pause_after_stock_failure = 30s;
constexpr std::size_t used_max = 16;
constexpr auto quiet_before_take_down = 100ms;
constexpr std::size_t builder_stack_size = 16U << 10U;

}  // namespace

NetworkStock::NetworkStock()
    : ping_group_range_(std::to_string(::getegid()) + " " + std::to_string(::getegid())) {}

/// What borrows our memory must be gone before that is given back. Who cannot be killed now keeps
/// it: nothing waits for that, and our end is near.
NetworkStock::~NetworkStock() {
  end();
  for (Builder& one : ending_) {
    if (::waitpid(one.pid, nullptr, WNOHANG) != 0) continue;
    static_cast<void>(one.stack.release());
    static_cast<void>(one.wanted.release());
  }
}

UniqueFd NetworkStock::take(Clock::time_point now) {
  last_taken_ = now;
  if (ready_.empty()) return {};
  UniqueFd taken = std::move(ready_.back());
  ready_.pop_back();
  return taken;
}

void NetworkStock::take_down_later(UniqueFd network, Clock::time_point now) {
  if (!network) return;
  used_.push_back(std::move(network));
  take_down_at_ = now + quiet_before_take_down;
  if (used_.size() >= used_max) used_.clear();
}

void NetworkStock::refill(Clock::time_point now, int user_namespace) {
  if (!last_taken_ || builder_ || now < not_before_ || ready_.size() >= refilled_below) return;
  begin(stock_max - ready_.size(), now, user_namespace);
}

void NetworkStock::begin(std::size_t count, Clock::time_point now, int user_namespace) {
  auto sockets = kernel::make_message_sockets();
  if (!sockets) return;
  Builder builder;
  builder.stack = std::make_unique_for_overwrite<std::byte[]>(builder_stack_size);
  builder.wanted = std::make_unique<bare::NetworksWanted>(bare::NetworksWanted{
      static_cast<int>(count), sockets->second.get(), user_namespace, ping_group_range_.c_str()});
  int pidfd = -1;
  constexpr long flags = CLONE_VM | CLONE_PIDFD | SIGCHLD;
  const long pid = bare::clone_on_stack(
      __NR_clone, flags, bare::address(builder.stack.get() + builder_stack_size),
      bare::begin_making_networks, builder.wanted.get(), bare::address(&pidfd));
  if (pid < 0) {
    not_before_ = now + pause_after_stock_failure;
    return;
  }
  builder.pid = static_cast<pid_t>(pid);
  builder.pidfd = UniqueFd(pidfd);
  builder_ = std::move(builder);
  builder_made_any_ = false;
  builder_deadline_ = now + stock_build_time_max;
  answer_ = std::move(sockets->first);
}

void NetworkStock::take_answers() {
  while (true) {
    std::array<std::byte, 8> buffer;
    auto received = kernel::receive_message(answer_.get(), buffer);
    if (received && !*received) return;
    const bool is_one = received && (*received)->size == 1 && (*received)->descriptors.size() == 1;
    if (!is_one) break;
    ready_.push_back(std::move((*received)->descriptors.front()));
    builder_made_any_ = true;
  }
  answer_.reset();
  // A host that cannot make one has runs that say so themselves.
  if (!builder_made_any_) not_before_ = Clock::now() + pause_after_stock_failure;
}

void NetworkStock::watch(std::vector<pollfd>& watched) const {
  if (answer_) watched.push_back({answer_.get(), POLLIN, 0});
}

void NetworkStock::work_off(std::span<const pollfd> watched) {
  for (const auto& one : watched) {
    if (answer_ && one.revents != 0 && one.fd == answer_.get()) take_answers();
  }
}

bool NetworkStock::on_exit(pid_t pid) {
  if (!builder_ || pid != builder_->pid) {
    return std::erase_if(ending_, [pid](const Builder& one) { return one.pid == pid; }) > 0;
  }
  builder_.reset();
  if (answer_) take_answers();  // they may still lie there; the other end is closed by now
  return true;
}

void NetworkStock::give_up_builder(Clock::time_point now) {
  ::syscall(SYS_pidfd_send_signal, builder_->pidfd.get(), SIGKILL, nullptr, 0);
  ending_.push_back(*std::exchange(builder_, std::nullopt));
  answer_.reset();
  not_before_ = now + pause_after_stock_failure;
}

void NetworkStock::look(Clock::time_point now) {
  if (builder_ && now >= builder_deadline_) give_up_builder(now);
  if (!used_.empty() && now >= take_down_at_) used_.clear();
  if (!last_taken_ || now < *last_taken_ + kept_unused_max) return;
  last_taken_.reset();
  ready_.clear();
}

std::optional<NetworkStock::Clock::time_point> NetworkStock::deadline() const {
  std::optional<Clock::time_point> first;
  if (last_taken_) first = *last_taken_ + kept_unused_max;
  if (builder_) first = builder_deadline_;
  return used_.empty() || (first && *first < take_down_at_) ? first : take_down_at_;
}

std::vector<pid_t> NetworkStock::processes() const {
  std::vector<pid_t> all;
  for (const Builder& one : ending_) all.push_back(one.pid);
  if (builder_) all.push_back(builder_->pid);
  return all;
}

void NetworkStock::end() {
  if (builder_) give_up_builder(Clock::now());
  last_taken_.reset();
  ready_.clear();
  used_.clear();
}

}  // namespace satellite::sandbox
