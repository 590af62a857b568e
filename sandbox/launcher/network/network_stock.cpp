#include "sandbox/launcher/network/network_stock.hpp"

#include "sandbox/kernel/socket_messages.hpp"
#include "sandbox/launcher/network/links.hpp"

#include <fcntl.h>
#include <linux/close_range.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
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
constexpr int stock_answer_fd = 3;
constexpr std::byte made{1};

/// What init cannot set in a network that another user namespace owns. A kernel without IPv4 has no
/// such setting.
bool let_own_group_ping() {
  const std::string gid = std::to_string(::getegid());
  const UniqueFd setting(::open("/proc/sys/net/ipv4/ping_group_range", O_WRONLY | O_CLOEXEC));
  if (!setting) return errno == ENOENT;
  const std::string range = gid + " " + gid;
  return ::write(setting.get(), range.data(), range.size()) == static_cast<ssize_t>(range.size());
}

/// The life of the process that makes them; they outlive it in the descriptors that it sends.
[[noreturn]] void build_stock(std::size_t count, int user_namespace, int socket) {
  const bool is_inside = user_namespace >= 0;
  if (is_inside && ::setns(user_namespace, CLONE_NEWUSER) != 0) ::_exit(1);
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (socket != stock_answer_fd) ::dup3(socket, stock_answer_fd, O_CLOEXEC);
  ::syscall(SYS_close_range, stock_answer_fd + 1, ~0U, 0);
  for (std::size_t i = 0; i < count; ++i) {
    if (::unshare(CLONE_NEWNET) != 0 || !raise_loopback()) break;
    if (is_inside && !let_own_group_ping()) break;
    const UniqueFd network(::open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC));
    const int descriptors[] = {network.get()};
    if (!network) break;
    if (!kernel::send_message(stock_answer_fd, std::span(&made, 1), descriptors)) break;
  }
  ::_exit(0);
}

}  // namespace

NetworkStock::~NetworkStock() {
  end();
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
  if (!last_taken_ || builder_ >= 0 || now < not_before_ || ready_.size() >= refilled_below) return;
  begin(stock_max - ready_.size(), now, user_namespace);
}

void NetworkStock::begin(std::size_t count, Clock::time_point now, int user_namespace) {
  auto sockets = kernel::make_message_sockets();
  if (!sockets) return;
  int pidfd = -1;
  const long pid = ::syscall(SYS_clone, CLONE_PIDFD | SIGCHLD, nullptr, &pidfd, 0, 0);
  if (pid == 0) build_stock(count, user_namespace, sockets->second.get());
  if (pid < 0) {
    not_before_ = now + pause_after_stock_failure;
    return;
  }
  builder_ = static_cast<pid_t>(pid);
  builder_made_any_ = false;
  builder_pidfd_ = UniqueFd(pidfd);
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
  if (pid != builder_) return std::erase(ending_, pid) > 0;
  builder_ = -1;
  builder_pidfd_.reset();
  if (answer_) take_answers();  // they may still lie there; the other end is closed by now
  return true;
}

void NetworkStock::give_up_builder(Clock::time_point now) {
  ::syscall(SYS_pidfd_send_signal, builder_pidfd_.get(), SIGKILL, nullptr, 0);
  ending_.push_back(std::exchange(builder_, -1));
  builder_pidfd_.reset();
  answer_.reset();
  not_before_ = now + pause_after_stock_failure;
}

void NetworkStock::look(Clock::time_point now) {
  if (builder_ >= 0 && now >= builder_deadline_) give_up_builder(now);
  if (!used_.empty() && now >= take_down_at_) used_.clear();
  if (!last_taken_ || now < *last_taken_ + kept_unused_max) return;
  last_taken_.reset();
  ready_.clear();
}

std::optional<NetworkStock::Clock::time_point> NetworkStock::deadline() const {
  std::optional<Clock::time_point> first;
  if (last_taken_) first = *last_taken_ + kept_unused_max;
  if (builder_ >= 0) first = builder_deadline_;
  return used_.empty() || (first && *first < take_down_at_) ? first : take_down_at_;
}

std::vector<pid_t> NetworkStock::processes() const {
  auto all = ending_;
  if (builder_ >= 0) all.push_back(builder_);
  return all;
}

void NetworkStock::end() {
  if (builder_ >= 0) give_up_builder(Clock::now());
  last_taken_.reset();
  ready_.clear();
  used_.clear();
}

}  // namespace satellite::sandbox
