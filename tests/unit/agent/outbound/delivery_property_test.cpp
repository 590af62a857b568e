#include "agent/outbound/delivery_queue.hpp"

#include <catch2/catch.hpp>
#include <map>
#include <memory>
#include <random>
#include <set>

using namespace satellite;
using namespace satellite::agent;
using namespace std::chrono_literals;

// A queue, a disk, a connection and a core, driven by a seed. The process dies, connections break
// with frames under way, pongs and acknowledgements are late, the disk refuses. The core's own list
// is the judge.
namespace {

using Urgency = DeliveryQueue::Urgency;
using Stored = DeliveryQueue::Stored;

class DeliveryWorld {
 public:
  DeliveryWorld(std::uint64_t seed, DeliveryQueue::Guarantee guarantee)
      : random_(seed), guarantee_(guarantee) {
    bounds_.count_max = 40;
    bounds_.unstored_count_max = 12;
    bounds_.window_count = 6;
    bounds_.replay_rate = pick(2) == 0 ? 0 : 50;
    begin();
  }

  void step() {
    now_ += std::chrono::milliseconds(pick(30));
    switch (pick(12)) {
      case 0:
      case 1:
      case 2:
        return push();
      case 3:
        return write_to_disk();
      case 4:
        return lose_or_find_connection();
      case 5:
      case 6:
      case 7:
        return send();
      case 8:
        return core_reads();
      case 9:
        return core_answers();
      case 10:
        disk_works_ = pick(4) != 0;
        return;
      default:
        if (pick(12) == 0) die();
    }
  }

  /// Everything that is left reaches the core, which then answers.
  void come_to_rest() {
    disk_works_ = true;
    for (int i = 0; i < 2'000; ++i) {
      now_ += 100ms;
      if (!connected_) lose_or_find_connection();
      write_to_disk();
      send();
      core_reads();
      core_answers();
    }
  }

  void check() const {
    CHECK(queue_->size() <= bounds_.count_max);
    CHECK(queue_->in_flight() <= bounds_.window_count + 50);
    for (const auto& [seq, times] : received_) {
      if (guarantee_ == DeliveryQueue::Guarantee::at_most_once) CHECK(times == 1);
    }
    // What the queue let go of without counting it, the core has.
    for (const std::uint64_t seq : let_go_) CHECK(received_.count(seq) == 1);
  }
  void check_at_rest() const {
    check();
    CHECK(queue_->size() == 0);
    if (guarantee_ == DeliveryQueue::Guarantee::at_most_once) return;
    std::size_t missing = 0;
    for (const std::uint64_t seq : pushed_) missing += received_.count(seq) == 0 ? 1U : 0U;
    // Given up and told of, or only in the memory of a process that died.
    CHECK(missing <= told_lost_ + died_with_);
    CHECK(disk_.empty());
  }

 private:
  std::uint64_t pick(std::uint64_t count) { return random_() % count; }

  void begin() {
    queue_ = std::make_unique<DeliveryQueue>(bounds_, guarantee_);
    StoreSnapshot snapshot;
    for (const auto& [seq, facts] : disk_) snapshot.messages.push_back(facts);
    snapshot.gap = disk_gap_;
    queue_->restore(snapshot);
    connected_ = false;
    wire_.clear();
    barrier_ = 0;
  }

  void push() {
    const Lane lane = pick(5) == 0 ? Lane::control : Lane::results;
    queue_->add({++seq_, lane, 10, static_cast<std::int64_t>(seq_)}, Stored::no);
    pushed_.insert(seq_);
    give_up();
  }

  void give_up() {
    queue_->enforce(static_cast<std::int64_t>(seq_));
    sync_removals();
  }

  /// Removals reach the disk at once here: that they may be late is what a resend after death is.
  void sync_removals() {
    for (const std::uint64_t seq : queue_->take_to_unstore()) disk_.erase(seq);
    disk_gap_ = queue_->gap();
  }

  void write_to_disk() {
    if (!disk_works_) return;
    if (guarantee_ == DeliveryQueue::Guarantee::at_most_once && connected_) return;
    for (const std::uint64_t seq : queue_->unstored()) {
      disk_[seq] = *queue_->find(seq);
      queue_->set_stored(seq, Stored::yes);
    }
  }

  void lose_or_find_connection() {
    connected_ = !connected_;
    if (connected_) {
      acknowledges_ = pick(2) == 0;
      queue_->connection_up(acknowledges_);
      return;
    }
    // Part of what is under way arrives all the same.
    if (pick(2) == 0) core_reads();
    wire_.clear();
    answers_.clear();
    barrier_ = 0;
    if (taken_) queue_->not_sent(*std::exchange(taken_, std::nullopt));
    queue_->connection_lost();
  }

  void send() {
    if (!connected_) return;
    if (queue_->wants_barrier()) {
      queue_->barrier_sent(++number_);
      wire_.push_back({true, number_, 0});
    }
    for (const Urgency urgency : {Urgency::control, Urgency::live, Urgency::replay}) {
      const auto seq = queue_->candidate(urgency, now_);
      if (!seq) continue;
      const bool once = guarantee_ == DeliveryQueue::Guarantee::at_most_once;
      if (once && queue_->stored(*seq) == Stored::yes) {
        disk_.erase(*seq);
        queue_->set_stored(*seq, Stored::no);
      }
      queue_->take(*seq, now_);
      wire_.push_back({false, *seq, *seq == 0 ? queue_->gap().count : 0});
      for (const std::uint64_t gone : queue_->sent(*seq)) static_cast<void>(gone);
      sync_removals();
      return;
    }
  }

  void core_reads() {
    while (!wire_.empty()) {
      const Wire one = wire_.front();
      wire_.pop_front();
      if (one.is_ping) {
        answers_.push_back({true, one.number, 0});
      } else if (one.number == 0) {
        told_lost_ += one.lost;
      } else {
        ++received_[one.number];
        if (acknowledges_) answers_.push_back({false, one.number, 0});
      }
      if (pick(4) == 0) return;
    }
  }

  void core_answers() {
    while (!answers_.empty()) {
      const Wire one = answers_.front();
      answers_.pop_front();
      if (one.is_ping) {
        for (const std::uint64_t seq : queue_->barrier_passed(one.number)) let_go_.insert(seq);
      } else if (queue_->acknowledged(one.number)) {
        let_go_.insert(one.number);
      }
      sync_removals();
      if (pick(4) == 0) return;
    }
  }

  void die() {
    for (const std::uint64_t seq : queue_->unstored())
      died_with_ += received_.count(seq) == 0 ? 1U : 0U;
    if (pick(2) == 0) core_reads();
    answers_.clear();
    taken_.reset();
    begin();
  }

  struct Wire {
    bool is_ping = false;
    std::uint64_t number = 0;
    std::uint64_t lost = 0;
  };

  std::mt19937_64 random_;
  const DeliveryQueue::Guarantee guarantee_;
  DeliveryQueue::Bounds bounds_;
  std::unique_ptr<DeliveryQueue> queue_;
  DeliveryQueue::Time now_{1h};
  std::map<std::uint64_t, MessageFacts> disk_;
  Gap disk_gap_;
  std::deque<Wire> wire_, answers_;
  std::optional<std::uint64_t> taken_;
  std::set<std::uint64_t> pushed_, let_go_;
  std::map<std::uint64_t, unsigned> received_;
  std::uint64_t seq_ = 0, number_ = 0, barrier_ = 0, told_lost_ = 0, died_with_ = 0;
  bool connected_ = false, acknowledges_ = false, disk_works_ = true;
};

}  // namespace

TEST_CASE("whatever breaks, a kept message is with the core, in the queue, or told as lost") {
  for (std::uint64_t seed = 1; seed <= 400; ++seed) {
    INFO("seed " << seed);
    const bool once = seed % 4 == 0;
    DeliveryWorld world(seed, once ? DeliveryQueue::Guarantee::at_most_once
                                   : DeliveryQueue::Guarantee::at_least_once);
    for (int i = 0; i < 600; ++i) world.step();
    world.check();
    world.come_to_rest();
    world.check_at_rest();
  }
}
