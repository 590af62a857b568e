#pragma once

#include "sandbox/host/identity.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <memory>
#include <optional>

namespace satellite::sandbox {

/// Which ids of the range belong to a run at this moment.
///
/// Shape:  hands out the id that was free for the longest time, so that one given back rests before
///         it is somebody else's. One thread; a lease may outlive the pool.
class IdentityPool {
 public:
  /// One id, from take() until this object is gone.
  class Lease {
   public:
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;
    Lease(Lease&& other) noexcept = default;
    Lease& operator=(Lease&&) = delete;
    ~Lease();
    Identity identity() const { return {id_, id_}; }

   private:
    friend class IdentityPool;
    struct Taken;
    Lease(std::shared_ptr<Taken> taken, std::uint32_t id) : taken_(std::move(taken)), id_(id) {}
    std::shared_ptr<Taken> taken_;  ///< null once moved from
    std::uint32_t id_;
  };

  explicit IdentityPool(IdentityRange range);
  ~IdentityPool();
  IdentityPool(const IdentityPool&) = delete;
  IdentityPool& operator=(const IdentityPool&) = delete;

  const IdentityRange& range() const { return range_; }
  std::optional<Lease> take();
  std::size_t taken() const;

  /// Returns when one was given back, or at the deadline.
  boost::asio::awaitable<void> given_back(boost::asio::io_context& context,
                                          std::chrono::steady_clock::time_point deadline);

 private:
  IdentityRange range_;
  std::shared_ptr<Lease::Taken> taken_;
};

}  // namespace satellite::sandbox
