// Ten thousand satellites, one core, a day: the core restarts, goes away, flaps, and a part of the
// network is cut off. Who decides are the parts of the agent; the network and the core's list of
// results are of this file.
#include "agent/connection/core_rotation.hpp"
#include "agent/outbound/delivery_queue.hpp"
#include "protocol/vocabulary/limits.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <queue>
#include <random>
#include <set>
#include <vector>

using namespace satellite;
using namespace satellite::agent;
using namespace std::chrono_literals;

namespace {

using Millis = std::chrono::milliseconds;
using Time = std::chrono::steady_clock::time_point;

/// From when to when a part of the satellites cannot reach the core.
struct Outage {
  Millis from{0}, until{0};
  double part = 1.0;
};

struct Fleet {
  std::size_t satellites = 10'000;
  Millis lasts = 24h, result_every = 3h;
  std::vector<Outage> outages;
  std::uint64_t seed = 1;
};

struct Return {
  std::size_t reconnects = 0;
  double peak_to_mean = 0;
  Millis took{0};
};

class FleetSimulation {
 public:
  explicit FleetSimulation(Fleet fleet) : fleet_(std::move(fleet)), random_(fleet_.seed) {
    ReconnectPolicy::Settings settings;
    settings.spread = 5s;  // the default of connection.reconnect_spread
    satellites_.reserve(fleet_.satellites);
    for (std::size_t i = 0; i < fleet_.satellites; ++i) {
      satellites_.emplace_back(settings);
      satellites_[i].place = drawn();
      at(Millis(static_cast<std::int64_t>(30'000 * drawn())), {Kind::attempt, i, 0});
      at(scaled(fleet_.result_every, drawn()), {Kind::result, i, 0});
    }
    for (std::size_t i = 0; i < fleet_.outages.size(); ++i) {
      // A result of many is under way when it begins.
      for (std::size_t one = 0; one < fleet_.satellites; one += 3) {
        at(fleet_.outages[i].from - Millis(1 + static_cast<int>(60 * drawn())),
           {Kind::extra_result, one, 0});
      }
      at(fleet_.outages[i].from, {Kind::outage, i, 0});
    }
  }

  void run() {
    while (!events_.empty()) {
      const auto [when, order, event] = events_.top();
      events_.pop();
      now_ = when;
      perform(event);
    }
  }

  /// How the satellites of an outage came back after it.
  Return came_back_after(const Outage& outage) const {
    const auto next = std::find_if(fleet_.outages.begin(), fleet_.outages.end(),
                                   [&](const Outage& one) { return one.from > outage.from; });
    const Millis end = std::min(outage.until + 10min,
                                next == fleet_.outages.end() ? outage.until + 10min : next->from);
    std::vector<Millis> times;
    for (const Millis time : reconnects_) {
      if (time >= outage.until && time < end) times.push_back(time);
    }
    if (times.empty()) return {};
    std::vector<std::size_t> by_second(601);
    for (const Millis time : times) {
      ++by_second[static_cast<std::size_t>((time - outage.until) / 1s)];
    }
    Return result;
    result.reconnects = times.size();
    result.took = *std::max_element(times.begin(), times.end()) - outage.until;
    const double seconds = std::max(1.0, static_cast<double>(result.took.count()) / 1'000);
    const auto peak = *std::max_element(by_second.begin(), by_second.end());
    result.peak_to_mean = static_cast<double>(peak) / (static_cast<double>(times.size()) / seconds);
    return result;
  }

  std::size_t connected() const {
    return static_cast<std::size_t>(std::count_if(satellites_.begin(), satellites_.end(),
                                                  [](const auto& one) { return one.connected; }));
  }
  std::size_t pushed() const { return pushed_; }
  std::size_t in_ledger() const { return in_ledger_; }
  std::size_t repeated() const { return repeated_; }
  std::size_t sent_after_acknowledgement() const { return sent_after_acknowledgement_; }
  std::size_t waiting() const {
    std::size_t count = 0;
    for (const auto& one : satellites_) count += one.queue.size();
    return count;
  }
  /// Attempts against a core that was away, in its worst second.
  std::size_t attempts_peak() const { return attempts_peak_; }

 private:
  enum class Kind { attempt, result, extra_result, outage, arrived, acknowledged };
  struct Event {
    Kind kind;
    std::size_t subject;   ///< a satellite, or an outage
    std::uint64_t number;  ///< of a connection in the upper half, of a result in the lower
  };
  struct Queued {
    Millis when;
    std::uint64_t order;
    Event event;
    bool operator>(const Queued& other) const {
      return std::pair(when, order) > std::pair(other.when, other.order);
    }
  };
  struct Satellite {
    explicit Satellite(ReconnectPolicy::Settings settings)
        : rotation(1, settings), queue({}, DeliveryQueue::Guarantee::at_least_once) {}
    CoreRotation rotation;
    DeliveryQueue queue;
    double place = 0;  ///< in the network: who is cut off with whom
    bool connected = false;
    std::uint32_t connection = 0;
    Millis connected_at{0};
    std::uint32_t results = 0;
    std::vector<bool> in_ledger, acknowledged;  ///< by number of the result
  };

  double drawn() { return std::uniform_real_distribution<double>(0.0, 1.0)(random_); }
  static Millis scaled(Millis whole, double part) {
    return Millis(static_cast<std::int64_t>(static_cast<double>(whole.count()) * part));
  }
  void at(Millis when, Event event) { events_.push({when, ++order_, event}); }
  Time steady() const { return Time(now_); }
  static std::uint64_t joined(std::uint32_t connection, std::uint32_t result) {
    return std::uint64_t{connection} << 32U | result;
  }

  bool reaches_core(const Satellite& one) const {
    return std::none_of(fleet_.outages.begin(), fleet_.outages.end(), [&](const Outage& outage) {
      return now_ >= outage.from && now_ < outage.until && one.place < outage.part;
    });
  }

  void perform(const Event& event) {
    switch (event.kind) {
      case Kind::attempt:
        return attempt(event.subject);
      case Kind::result:
        if (now_ + fleet_.result_every < fleet_.lasts) at(now_ + fleet_.result_every, event);
        return push(event.subject);
      case Kind::extra_result:
        return push(event.subject);
      case Kind::outage:
        for (std::size_t i = 0; i < satellites_.size(); ++i) {
          if (satellites_[i].connected && !reaches_core(satellites_[i])) lose(i);
        }
        return;
      case Kind::arrived:
      case Kind::acknowledged:
        return answer(event);
    }
  }

  void attempt(std::size_t index) {
    Satellite& one = satellites_[index];
    if (!reaches_core(one)) {
      note_attempt();
      return wait(index, {});
    }
    one.connected = true;
    ++one.connection;
    one.connected_at = now_;
    reconnects_.push_back(now_);
    one.queue.connection_up(true);
    send(index);
  }

  void note_attempt() {
    const auto second = now_ / 1s;
    attempts_ = second == attempts_second_ ? attempts_ + 1 : 1;
    attempts_second_ = second;
    attempts_peak_ = std::max(attempts_peak_, attempts_);
  }

  void lose(std::size_t index) {
    Satellite& one = satellites_[index];
    one.connected = false;
    one.queue.connection_lost();
    wait(index, {ConnectionEnd::lost, now_ - one.connected_at, {}});
  }

  void wait(std::size_t index, const EndedConnection& ended) {
    at(now_ + satellites_[index].rotation.next_wait(ended, drawn(), steady()),
       {Kind::attempt, index, 0});
  }

  void push(std::size_t index) {
    Satellite& one = satellites_[index];
    ++pushed_;
    ++one.results;
    one.in_ledger.resize(one.results + 1);
    one.acknowledged.resize(one.results + 1);
    one.queue.add({one.results, Lane::results, 1'000, now_ / 1s}, DeliveryQueue::Stored::yes);
    if (one.connected) send(index);
  }

  /// All that the window lets through, as the writer of a session does.
  void send(std::size_t index) {
    Satellite& one = satellites_[index];
    for (const auto urgency : {DeliveryQueue::Urgency::live, DeliveryQueue::Urgency::replay}) {
      while (const auto seq = one.queue.candidate(urgency, steady())) {
        one.queue.take(*seq, steady());
        one.queue.sent(*seq);
        if (one.acknowledged[*seq]) ++sent_after_acknowledgement_;
        at(now_ + 20ms,
           {Kind::arrived, index, joined(one.connection, static_cast<std::uint32_t>(*seq))});
      }
    }
  }

  void answer(const Event& event) {
    Satellite& one = satellites_[event.subject];
    const bool still_connected = one.connected && one.connection == event.number >> 32U;
    if (!still_connected) return;  // lost on the way
    const auto result = static_cast<std::uint32_t>(event.number);
    if (event.kind == Kind::arrived) {
      one.in_ledger[result] ? ++repeated_ : ++in_ledger_;
      one.in_ledger[result] = true;
      return at(now_ + 20ms, {Kind::acknowledged, event.subject, event.number});
    }
    one.acknowledged[result] = one.queue.acknowledged(result);
    send(event.subject);
  }

  const Fleet fleet_;
  std::mt19937_64 random_;
  std::vector<Satellite> satellites_;
  std::priority_queue<Queued, std::vector<Queued>, std::greater<>> events_;
  std::uint64_t order_ = 0;
  Millis now_{0};
  std::vector<Millis> reconnects_;
  std::size_t pushed_ = 0, in_ledger_ = 0, repeated_ = 0, sent_after_acknowledgement_ = 0;
  std::int64_t attempts_second_ = -1;
  std::size_t attempts_ = 0, attempts_peak_ = 0;
};

std::vector<Outage> a_bad_day() {
  return {{2h, 2h + 2s},             // a restart
          {5h, 5h + 10s},            // a slow one
          {8h, 8h + 90s},            // an update
          {11h, 11h + 6min, 0.3},    // a part of the network is cut off
          {14h, 14h + 4min},         // the core is gone
          {18h, 18h + 20s},          // it flaps
          {18h + 60s, 18h + 80s},    //
          {18h + 120s, 18h + 140s},  //
          {20h, 20h + 500ms, 0.1}};  // a hiccup of one router
}

void check(const Fleet& fleet) {
  INFO("seed " << fleet.seed);
  FleetSimulation simulation(fleet);
  simulation.run();
  for (const Outage& outage : fleet.outages) {
    const Return back = simulation.came_back_after(outage);
    INFO("outage at " << outage.from / 1s << " s for " << (outage.until - outage.from).count()
                      << " ms: " << back.reconnects << " came back in " << back.took.count()
                      << " ms, peak to mean " << back.peak_to_mean);
    CHECK(back.reconnects > 0);
    CHECK(back.peak_to_mean < 3.0);
    CHECK(back.took <= limits::backoff_max);
  }
  CHECK(simulation.connected() == fleet.satellites);
  CHECK(simulation.in_ledger() == simulation.pushed());
  CHECK(simulation.waiting() == 0);
  CHECK(simulation.sent_after_acknowledgement() == 0);
  // Some were under way when a core went: sent again under their ids.
  CHECK(simulation.repeated() > 0);
  CHECK(simulation.attempts_peak() < fleet.satellites / 4);
}

}  // namespace

TEST_CASE("ten thousand satellites come back to their core spread out, and bring all results") {
  Fleet fleet;
  fleet.outages = a_bad_day();
  check(fleet);
}

TEST_CASE("fleets of other seeds, and a core that is gone for a day, on demand") {
  const char* const seeds = std::getenv("FLEET_SEEDS");
  const int count = seeds == nullptr ? 0 : std::atoi(seeds);
  for (int seed = 2; seed < 2 + count; ++seed) {
    Fleet fleet;
    fleet.seed = static_cast<std::uint64_t>(seed);
    fleet.outages = a_bad_day();
    if (seed % 2 == 0) fleet.outages = {{1h, 23h}};
    check(fleet);
  }
}
