#include "agent/dispatch/admission.hpp"

#include <algorithm>

namespace satellite::agent {

std::size_t AdmissionQueue::queued() const {
  std::size_t total = 0;
  for (const auto& queue : queues_) total += queue.size();
  return total;
}

Admission AdmissionQueue::admit(const AdmissionRequest& request,
                                std::chrono::steady_clock::time_point now) {
  if (shutting_down_) return RejectionCode::shutting_down;
  if (request.start_before && *request.start_before <= now) return RejectionCode::expired;
  const std::size_t free_places =
      limits_.concurrency > running_ ? limits_.concurrency - running_ : 0;
  // Runs that find a free slot pass through the queue without counting against its length.
  if (queued() >= limits_.queue_length + free_places) return RejectionCode::queue_full;

  const auto priority = static_cast<std::size_t>(request.priority);
  std::size_t ahead = 0;
  for (std::size_t i = 0; i <= priority; ++i) ahead += queues_[i].size();
  queues_[priority].push_back(Waiting{request.id, request.start_before});
  return Admitted{ahead < free_places ? 0 : ahead - free_places + 1};
}

std::optional<RunId> AdmissionQueue::next_to_start() {
  if (running_ >= limits_.concurrency) return std::nullopt;
  for (auto& queue : queues_) {
    if (queue.empty()) continue;
    RunId id = std::move(queue.front().id);
    queue.pop_front();
    ++running_;
    return id;
  }
  return std::nullopt;
}

std::vector<RunId> AdmissionQueue::take_expired(std::chrono::steady_clock::time_point now) {
  std::vector<RunId> expired;
  for (auto& queue : queues_) {
    const auto late =
        std::stable_partition(queue.begin(), queue.end(), [now](const Waiting& waiting) {
          return !waiting.start_before || *waiting.start_before > now;
        });
    for (auto it = late; it != queue.end(); ++it) expired.push_back(std::move(it->id));
    queue.erase(late, queue.end());
  }
  return expired;
}

bool AdmissionQueue::withdraw(const RunId& id) {
  for (auto& queue : queues_) {
    const auto found = std::find_if(queue.begin(), queue.end(),
                                    [&id](const Waiting& waiting) { return waiting.id == id; });
    if (found == queue.end()) continue;
    queue.erase(found);
    return true;
  }
  return false;
}

std::optional<std::size_t> AdmissionQueue::position_of(const RunId& id) const {
  std::size_t ahead = 0;
  const std::size_t free_places =
      limits_.concurrency > running_ ? limits_.concurrency - running_ : 0;
  for (const auto& queue : queues_) {
    for (const Waiting& waiting : queue) {
      if (waiting.id == id) return ahead < free_places ? 0 : ahead - free_places + 1;
      ++ahead;
    }
  }
  return std::nullopt;
}

}  // namespace satellite::agent
