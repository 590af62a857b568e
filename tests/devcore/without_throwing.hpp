#pragma once

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace satellite::devcore {

/// What to await with when an error is a value.
constexpr auto without_throwing = boost::asio::as_tuple(boost::asio::use_awaitable);

}  // namespace satellite::devcore
