#pragma once

#include "protocol/vocabulary/error.hpp"

#include <cassert>
#include <tl/expected.hpp>
#include <type_traits>
#include <utility>

namespace satellite {

/// A value or one Error: how every expected failure travels.
///
/// Shape:  a subset of std::expected, so that C++23 can replace it; converts from T and from Error.
///         Propagate in one plain line: `if (!plan) return plan.error();`.
/// Errors: reading the value of a failure is a broken invariant and is asserted.
template <typename T>
class [[nodiscard]] Result {
 public:
  using value_type = T;

  Result(T value) : state_(std::move(value)) {}
  Result(Error error) : state_(tl::unexpect, std::move(error)) {}

  explicit operator bool() const { return state_.has_value(); }
  bool has_value() const { return state_.has_value(); }

  T& value() & { return assert(state_), *state_; }
  const T& value() const& { return assert(state_), *state_; }
  T&& value() && { return assert(state_), std::move(*state_); }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

  const Error& error() const& { return assert(!state_), state_.error(); }
  Error&& error() && { return assert(!state_), std::move(state_.error()); }

 private:
  tl::expected<T, Error> state_;
};

/// Success without a value, or one Error. `return {};` is success.
template <>
class [[nodiscard]] Result<void> {
 public:
  using value_type = void;

  Result() = default;
  Result(Error error) : state_(tl::unexpect, std::move(error)) {}

  explicit operator bool() const { return state_.has_value(); }
  bool has_value() const { return state_.has_value(); }
  const Error& error() const& { return assert(!state_), state_.error(); }
  Error&& error() && { return assert(!state_), std::move(state_.error()); }

 private:
  tl::expected<void, Error> state_;
};

}  // namespace satellite
