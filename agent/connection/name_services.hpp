#pragma once

#include <boost/asio/ip/address.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace satellite::agent {

/// nsswitch.conf -> the services of its `hosts:` line that the built-in resolver does not ask
/// (mdns, resolve, myhostname and the like), in order, each once. Pure.
///
/// Shape:  at most 16 names of letters, digits, '_' and '-'; what is no such name is left out.
/// Source: nsswitch.conf(5).
std::vector<std::string> services_not_asked(std::string_view nsswitch);

/// What `getent ahosts` printed -> the addresses in it, in order, each once, at most `count_max`.
/// Lines that are none are left out. Pure.
///
/// Source: getent(1); musl-utils prints the same columns.
std::vector<boost::asio::ip::address> addresses_of_getent(std::string_view output,
                                                          std::size_t count_max);

}  // namespace satellite::agent
