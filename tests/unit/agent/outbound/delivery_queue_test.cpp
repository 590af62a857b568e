#include "agent/outbound/delivery_queue.hpp"

#include <catch2/catch.hpp>

using namespace satellite;
using namespace satellite::agent;
using namespace std::chrono_literals;

namespace {

using Urgency = DeliveryQueue::Urgency;
using Stored = DeliveryQueue::Stored;
using Guarantee = DeliveryQueue::Guarantee;
using Seqs = std::vector<std::uint64_t>;
const DeliveryQueue::Time delivery_start{1h};

DeliveryQueue::Bounds roomy() {
  return {};
}

MessageFacts result_facts(std::uint64_t seq, std::int64_t at = 1'000, std::uint32_t size = 100) {
  return {seq, Lane::results, size, at};
}

/// Everything that goes out now, in order; each is sent.
Seqs send_all(DeliveryQueue& queue, DeliveryQueue::Time now = delivery_start) {
  Seqs sent;
  while (true) {
    std::optional<std::uint64_t> seq;
    for (const Urgency urgency : {Urgency::control, Urgency::live, Urgency::replay}) {
      if (!seq) seq = queue.candidate(urgency, now);
    }
    if (!seq) return sent;
    queue.take(*seq, now);
    queue.sent(*seq);
    sent.push_back(*seq);
  }
}

}  // namespace

TEST_CASE("control goes before live, live before what waited, the oldest of that first") {
  DeliveryQueue queue(roomy(), Guarantee::at_least_once);
  queue.add(result_facts(1), Stored::yes);
  queue.add(result_facts(2), Stored::yes);
  CHECK_FALSE(queue.candidate(Urgency::replay, delivery_start));
  queue.connection_up(true);
  queue.add(result_facts(3), Stored::yes);
  queue.add({4, Lane::control, 10, 1'000}, Stored::yes);
  CHECK(send_all(queue) == Seqs{4, 3, 1, 2});
}

TEST_CASE("a barrier confirms what was sent before it and nothing else") {
  DeliveryQueue queue(roomy(), Guarantee::at_least_once);
  queue.connection_up(false);
  queue.add(result_facts(1), Stored::yes);
  queue.add(result_facts(2), Stored::yes);
  CHECK_FALSE(queue.wants_barrier());
  CHECK(send_all(queue) == Seqs{1, 2});
  REQUIRE(queue.wants_barrier());
  queue.barrier_sent(7);
  queue.add(result_facts(3), Stored::yes);
  CHECK(send_all(queue) == Seqs{3});
  // One at a time.
  CHECK_FALSE(queue.wants_barrier());
  CHECK(queue.barrier_passed(6).empty());
  CHECK(queue.barrier_passed(7) == Seqs{1, 2});
  CHECK(queue.size() == 1);
  CHECK(queue.wants_barrier());
  queue.barrier_sent(8);
  // Its own pong was lost in a later one.
  CHECK(queue.barrier_passed(9) == Seqs{3});
  CHECK(queue.size() == 0);
  CHECK(queue.take_to_unstore() == Seqs{1, 2, 3});
  CHECK(queue.take_to_unstore().empty());
}

TEST_CASE("with acknowledgements a pong confirms no result, but what carries no id") {
  DeliveryQueue queue(roomy(), Guarantee::at_least_once);
  queue.connection_up(true);
  queue.add(result_facts(1), Stored::yes);
  queue.add({2, Lane::control, 10, 1'000}, Stored::yes);
  send_all(queue);
  queue.barrier_sent(1);
  CHECK(queue.barrier_passed(1) == Seqs{2});
  CHECK_FALSE(queue.wants_barrier());
  CHECK_FALSE(queue.acknowledged(9));
  CHECK(queue.acknowledged(1));
  CHECK_FALSE(queue.acknowledged(1));
  CHECK(queue.size() == 0);
}

TEST_CASE("what a lost connection left unconfirmed goes out again, in the order of its numbers") {
  DeliveryQueue queue(roomy(), Guarantee::at_least_once);
  queue.connection_up(false);
  for (std::uint64_t seq = 1; seq <= 4; ++seq) queue.add(result_facts(seq), Stored::yes);
  send_all(queue);
  queue.barrier_sent(1);
  queue.barrier_passed(1);
  queue.add(result_facts(5), Stored::yes);
  queue.add(result_facts(6), Stored::yes);
  CHECK(send_all(queue) == Seqs{5, 6});
  queue.barrier_sent(2);
  queue.connection_lost();
  // The pong of a connection that is gone is none of the next one.
  queue.connection_up(false);
  CHECK(queue.barrier_passed(2).empty());
  queue.add(result_facts(7), Stored::yes);
  CHECK(send_all(queue) == Seqs{7, 5, 6});
}

TEST_CASE("where nothing is sent twice, what was handed to the connection is gone") {
  DeliveryQueue queue(roomy(), Guarantee::at_most_once);
  queue.connection_up(false);
  queue.add(result_facts(1), Stored::no);
  queue.add(result_facts(2), Stored::no);
  CHECK(send_all(queue) == Seqs{1, 2});
  CHECK_FALSE(queue.wants_barrier());
  queue.connection_lost();
  queue.connection_up(false);
  CHECK(send_all(queue).empty());
}

TEST_CASE("a core that confirms nothing gets as much as the window holds") {
  auto bounds = roomy();
  bounds.window_count = 3;
  bounds.window_size = ByteCount{250};
  DeliveryQueue queue(bounds, Guarantee::at_least_once);
  queue.connection_up(true);
  for (std::uint64_t seq = 1; seq <= 9; ++seq) queue.add(result_facts(seq), Stored::yes);
  CHECK(send_all(queue) == Seqs{1, 2, 3});
  queue.acknowledged(2);
  CHECK(send_all(queue) == Seqs{4});
  // One that is larger than the window must not stop everything.
  queue.connection_lost();
  queue.add(result_facts(10, 1'000, 10'000), Stored::yes);
  queue.connection_up(true);
  for (std::uint64_t seq = 1; seq <= 9; ++seq) queue.acknowledged(seq);
  CHECK(send_all(queue) == Seqs{10});
}

TEST_CASE("what waited is sent at its pace, what is new at once") {
  auto bounds = roomy();
  bounds.replay_rate = 100;
  DeliveryQueue queue(bounds, Guarantee::at_least_once);
  for (std::uint64_t seq = 1; seq <= 100; ++seq) queue.add(result_facts(seq), Stored::yes);
  queue.connection_up(true);
  const std::size_t burst = send_all(queue).size();
  CHECK(burst == 10);
  const auto at = queue.replay_possible_at(delivery_start);
  REQUIRE(at);
  CHECK(*at - delivery_start <= 11ms);
  CHECK(send_all(queue, *at).size() == 1);
  queue.add(result_facts(101), Stored::yes);
  CHECK(send_all(queue, *at) == Seqs{101});
  std::size_t in_half_a_second = 0;
  for (int i = 1; i <= 50; ++i) in_half_a_second += send_all(queue, *at + i * 10ms).size();
  CHECK(in_half_a_second >= 49);
  CHECK(in_half_a_second <= 51);
}

TEST_CASE("beyond a bound the oldest go, results before control, counted in one gap") {
  auto bounds = roomy();
  bounds.count_max = 3;
  bounds.age_max = 100s;
  DeliveryQueue queue(bounds, Guarantee::at_least_once);
  queue.add({1, Lane::control, 10, 1'000}, Stored::yes);
  for (std::uint64_t seq = 2; seq <= 6; ++seq) {
    queue.add(result_facts(seq, 1'000 + static_cast<std::int64_t>(seq)), Stored::yes);
  }
  CHECK(queue.enforce(1'010) == Seqs{2, 3, 4});
  CHECK(queue.gap() == Gap{3, 1'002, 1'004});
  CHECK(queue.enforce(1'105) == Seqs{1});
  CHECK(queue.gap() == Gap{4, 1'000, 1'004});
  // A clock that went back makes nothing old, and nothing new.
  CHECK(queue.enforce(0).empty());
  queue.connection_up(false);
  CHECK(send_all(queue) == Seqs{DeliveryQueue::gap_marker, 5, 6});
  queue.lose(6);
  queue.barrier_sent(1);
  CHECK(queue.barrier_passed(1) == Seqs{5});
  // What was lost after the marker was made is told by the next one.
  CHECK(queue.gap().count == 1);
  CHECK(send_all(queue) == Seqs{DeliveryQueue::gap_marker});
  queue.barrier_sent(2);
  queue.barrier_passed(2);
  CHECK(queue.gap().count == 0);
  CHECK(send_all(queue).empty());
}

TEST_CASE("only what is on no disk counts against the bound of memory") {
  auto bounds = roomy();
  bounds.unstored_count_max = 2;
  DeliveryQueue queue(bounds, Guarantee::at_least_once);
  for (std::uint64_t seq = 1; seq <= 3; ++seq) queue.add(result_facts(seq), Stored::yes);
  for (std::uint64_t seq = 4; seq <= 7; ++seq) queue.add(result_facts(seq), Stored::no);
  CHECK(queue.enforce(1'000) == Seqs{4, 5});
  CHECK(queue.unstored() == Seqs{6, 7});
  CHECK(queue.size() == 5);
}

TEST_CASE("a database that is opened late or again is compared with what is known") {
  DeliveryQueue queue(roomy(), Guarantee::at_least_once);
  queue.add(result_facts(50), Stored::no);
  StoreSnapshot snapshot;
  snapshot.messages = {result_facts(1), {2, Lane::control, 5, 900}, result_facts(3)};
  snapshot.gap = {2, 10, 20};
  auto first = queue.restore(snapshot);
  CHECK(first.to_store == Seqs{50});
  CHECK(first.to_remove.empty());
  CHECK(queue.gap() == Gap{2, 10, 20});
  queue.connection_up(true);
  CHECK(send_all(queue) == Seqs{0, 2, 1, 3, 50});
  queue.acknowledged(1);
  queue.set_stored(50, Stored::yes);
  // A fresh one, after the first was put aside: what was in it only is to be stored again.
  auto again = queue.restore({{result_facts(1)}, {}, {}});
  CHECK(again.to_remove == Seqs{1});
  CHECK(again.to_store == Seqs{2, 3, 50});
  CHECK(queue.size() == 3);
}

TEST_CASE("what was kept is replay, also if the disk was read after the connection was there") {
  auto bounds = roomy();
  bounds.replay_rate = 10;
  DeliveryQueue queue(bounds, Guarantee::at_least_once);
  queue.connection_up(true);
  queue.add(result_facts(900), Stored::no);
  StoreSnapshot snapshot;
  for (std::uint64_t seq = 1; seq <= 20; ++seq) snapshot.messages.push_back(result_facts(seq));
  queue.restore(snapshot);
  CHECK(send_all(queue) == Seqs{900, 1});
}

TEST_CASE("who stops waits for what is unconfirmed or on no disk, not for what the disk keeps") {
  DeliveryQueue queue(roomy(), Guarantee::at_least_once);
  queue.add(result_facts(1), Stored::yes);
  CHECK(queue.flushed());
  queue.set_stored(1, Stored::no);
  CHECK_FALSE(queue.flushed());
  queue.set_stored(1, Stored::yes);
  queue.connection_up(true);
  queue.add(result_facts(2), Stored::yes);
  CHECK_FALSE(queue.flushed());
  CHECK(queue.candidate(Urgency::live, delivery_start) == 2U);
  queue.take(2, delivery_start);
  queue.sent(2);
  CHECK_FALSE(queue.flushed());
  queue.acknowledged(2);
  CHECK(queue.flushed());
}
