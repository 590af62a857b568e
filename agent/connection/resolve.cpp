// getaddrinfo blocks, for minutes when name servers are silent, and cannot be interrupted. Asio's
// own resolver runs it on a thread that its context joins on destruction, so a stop would wait for
// DNS. Here each lookup has a thread of its own that owns all it touches and may be left behind.
#include "agent/connection/resolve.hpp"

#include "agent/connection/cut_at.hpp"
#include "protocol/vocabulary/unique_fd.hpp"

#include <fcntl.h>
#include <netdb.h>
#include <sys/eventfd.h>
#include <algorithm>
#include <atomic>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cerrno>
#include <memory>
#include <mutex>
#include <system_error>
#include <thread>

namespace satellite::agent {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using Endpoints = std::vector<tcp::endpoint>;

constexpr std::size_t addresses_max = 16;
// A dead name server holds a lookup longer than one connect deadline, so some may overlap.
constexpr int lookups_max = 4;
std::atomic<int> lookups_running{0};

/// What the lookup thread and the waiting coroutine share; the last of the two frees it.
struct Lookup {
  std::string host, service;
  UniqueFd answered;  // an eventfd: becomes readable once

  std::mutex mutex;
  int failure = 0;       // of getaddrinfo, EAI_*
  int system_error = 0;  // errno when that is EAI_SYSTEM
  Endpoints endpoints;
};

struct AddressListDeleter {
  void operator()(addrinfo* list) const { ::freeaddrinfo(list); }
};

Endpoints endpoints_in(const addrinfo* list) {
  Endpoints endpoints;
  for (; list != nullptr && endpoints.size() < addresses_max; list = list->ai_next) {
    tcp::endpoint endpoint;
    if (list->ai_addrlen > endpoint.capacity()) continue;
    endpoint.resize(list->ai_addrlen);
    std::copy_n(reinterpret_cast<const char*>(list->ai_addr), list->ai_addrlen,
                reinterpret_cast<char*>(endpoint.data()));
    endpoints.push_back(endpoint);
  }
  return endpoints;
}

void ask(Lookup& lookup) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_ADDRCONFIG | AI_NUMERICSERV;
  addrinfo* answer = nullptr;
  const int failure = ::getaddrinfo(lookup.host.c_str(), lookup.service.c_str(), &hints, &answer);
  const int system_error = errno;
  const std::unique_ptr<addrinfo, AddressListDeleter> list(failure == 0 ? answer : nullptr);
  const std::lock_guard lock(lookup.mutex);
  lookup.failure = failure;
  lookup.system_error = system_error;
  lookup.endpoints = endpoints_in(list.get());
}

Error lookup_error(const std::string& host, int failure, int system_error) {
  const std::string what = "DNS: looking up " + host;
  if (failure == EAI_SYSTEM) return error_from_errno(what, system_error);
  const bool is_unknown = failure == EAI_NONAME || failure == EAI_NODATA;
  return Error{is_unknown ? ErrorCode::not_found : ErrorCode::unavailable,
               what + ": " + ::gai_strerror(failure)};
}

Result<std::shared_ptr<Lookup>> start_lookup(const CoreAddress& address) {
  if (lookups_running.fetch_add(1) >= lookups_max) {
    lookups_running.fetch_sub(1);
    return Error{ErrorCode::limit_exceeded,
                 "DNS: earlier lookups still wait for the name servers; check /etc/resolv.conf"};
  }
  auto lookup = std::make_shared<Lookup>();
  lookup->host = address.host;
  lookup->service = std::to_string(address.port);
  lookup->answered = UniqueFd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  try {
    std::thread([lookup] {
      ask(*lookup);
      ::eventfd_write(lookup->answered.get(), 1);
      lookups_running.fetch_sub(1);
    }).detach();
  } catch (const std::system_error& failure) {
    lookups_running.fetch_sub(1);
    return error_from_errno("DNS: starting a thread", failure.code().value());
  }
  return lookup;
}

asio::awaitable<Result<Endpoints>> look_up(CoreAddress address,
                                           std::chrono::steady_clock::time_point deadline) {
  constexpr auto without_throwing = asio::as_tuple(asio::use_awaitable);
  const auto executor = co_await asio::this_coro::executor;
  const Result<std::shared_ptr<Lookup>> started = start_lookup(address);
  if (!started) co_return started.error();
  Lookup& lookup = **started;

  const int duplicate = ::fcntl(lookup.answered.get(), F_DUPFD_CLOEXEC, 0);
  if (duplicate < 0) co_return error_from_errno("DNS: descriptor", errno);
  asio::posix::stream_descriptor answered(executor, duplicate);
  const CutAt cut(executor, deadline, [&answered] { answered.cancel(); });
  const auto waited =
      co_await answered.async_wait(asio::posix::descriptor_base::wait_read, without_throwing);
  if (cut.done()) {
    co_return Error{ErrorCode::timed_out,
                    "DNS: no answer for " + address.host + " in time; check the name servers"};
  }
  if (std::get<0>(waited)) co_return Error{ErrorCode::cancelled, "DNS: stopped"};
  const std::lock_guard lock(lookup.mutex);
  if (lookup.failure != 0) {
    co_return lookup_error(address.host, lookup.failure, lookup.system_error);
  }
  co_return interleaved(lookup.endpoints);
}

}  // namespace

Endpoints interleaved(const Endpoints& endpoints) {
  Endpoints first, second, mixed;
  for (const tcp::endpoint& endpoint : endpoints) {
    const bool is_first_family = endpoint.protocol() == endpoints.front().protocol();
    (is_first_family ? first : second).push_back(endpoint);
  }
  for (std::size_t i = 0; i < std::max(first.size(), second.size()); ++i) {
    if (i < first.size()) mixed.push_back(first[i]);
    if (i < second.size()) mixed.push_back(second[i]);
  }
  return mixed;
}

asio::awaitable<Result<Endpoints>> resolve(CoreAddress address,
                                           std::chrono::steady_clock::time_point deadline) {
  if (address.host == "localhost") {
    co_return Endpoints{{asio::ip::address_v4::loopback(), address.port},
                        {asio::ip::address_v6::loopback(), address.port}};
  }
  boost::system::error_code not_numeric;
  const asio::ip::address numeric = asio::ip::make_address(address.host, not_numeric);
  if (!not_numeric) co_return Endpoints{{numeric, address.port}};
  auto endpoints = co_await look_up(std::move(address), deadline);
  co_return endpoints;
}

}  // namespace satellite::agent
