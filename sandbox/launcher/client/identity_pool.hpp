#pragma once

#include "sandbox/host/identity.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>

namespace satellite::sandbox {

/// Which ids of the range belong to a run at this moment.
///
/// Shape:  hands out the ids that were free for the longest time, so that one given back rests
///         before it is somebody else's. One thread; a lease may outlive the pool.
class IdentityPool {
 public:
  /// The ids of one run, from take() until this object is gone.
  class Lease {
   public:
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;
    Lease(Lease&& other) noexcept = default;
    Lease& operator=(Lease&&) = delete;
    ~Lease();
    const OwnIdentity& identity() const { return ids_; }

   private:
    friend class IdentityPool;
    struct Taken;
    Lease(std::shared_ptr<Taken> taken, OwnIdentity ids) : taken_(std::move(taken)), ids_(ids) {}
    std::shared_ptr<Taken> taken_;  ///< null once moved from
    OwnIdentity ids_;
  };

  /// `is_in_use` tells of an id that somebody else has at this moment, such as another satellite
  /// with the same range; it is passed over.
  using IsInUse = std::function<bool(std::uint32_t id)>;
  explicit IdentityPool(IdentityRange range, IsInUse is_in_use = {});
  ~IdentityPool();
  IdentityPool(const IdentityPool&) = delete;
  IdentityPool& operator=(const IdentityPool&) = delete;

  const IdentityRange& range() const { return range_; }
  /// Nothing where too few are free; `wanted` is not OwnIds::none.
  std::optional<Lease> take(OwnIds wanted = OwnIds::of_script);
  std::size_t taken() const;
  bool has(OwnIds wanted) const;

  /// Returns when one was given back, or at the deadline.
  boost::asio::awaitable<void> given_back(boost::asio::io_context& context,
                                          std::chrono::steady_clock::time_point deadline);

 private:
  std::optional<std::uint32_t> next();

  IdentityRange range_;
  IsInUse is_in_use_;
  std::shared_ptr<Lease::Taken> taken_;
};

}  // namespace satellite::sandbox
