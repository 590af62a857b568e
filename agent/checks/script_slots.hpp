#pragma once

#include "sandbox/running/runner.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <cstddef>
#include <list>

namespace satellite::agent {

/// How many scripts of checks run at the same time; a check may have many collectors, and they
/// would all start together. First come, first served.
class ScriptSlots {
 public:
  ScriptSlots(boost::asio::io_context& context, std::size_t slots)
      : context_(context), free_(slots) {}

  /// A slot, given back when this goes; empty when the run was stopped while it waited.
  class Slot {
   public:
    Slot() = default;
    explicit Slot(ScriptSlots& from) : from_(&from) {}
    Slot(Slot&& other) noexcept : from_(other.from_) { other.from_ = nullptr; }
    Slot& operator=(Slot&&) = delete;
    ~Slot() {
      if (from_ != nullptr) from_->give_back();
    }
    explicit operator bool() const { return from_ != nullptr; }

   private:
    ScriptSlots* from_ = nullptr;
  };
  boost::asio::awaitable<Slot> take(const sandbox::CancelSwitch& cancel);

 private:
  struct Waiter;
  void give_back();

  boost::asio::io_context& context_;
  std::size_t free_;
  std::list<Waiter*> waiters_;
};

}  // namespace satellite::agent
