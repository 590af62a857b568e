// getaddrinfo blocks, for minutes when name servers are silent, and cannot be interrupted. Asio's
// own resolver runs it on a thread that its context joins on destruction, so a stop would wait for
// DNS. Here each lookup has a thread of its own that owns all it touches and may be left behind.
// glibc would load a library for each service of nsswitch.conf that it has not built in, and a
// static program cannot load one of another glibc: it is told to ask /etc/hosts and the name
// servers only, which are part of it since 2.34.
#include "agent/connection/resolve.hpp"

#include "agent/connection/cut_at.hpp"
#include "agent/connection/getent.hpp"
#include "agent/connection/name_services.hpp"
#include "protocol/vocabulary/unique_fd.hpp"

#include <fcntl.h>
#include <netdb.h>
#include <nss.h>
#include <sys/eventfd.h>
#include <algorithm>
#include <atomic>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cerrno>
#include <fstream>
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
// Name services answer within a minute or not at all; who waits has a shorter deadline.
constexpr std::chrono::seconds getent_time_max{60};
constexpr std::size_t nsswitch_size_max = 65'536;

/// What the lookup thread and the waiting coroutine share; the last of the two frees it.
struct Lookup {
  HostAndPort wanted;
  Resolver resolver = Resolver::builtin;
  UniqueFd answered;  // an eventfd: becomes readable once

  std::mutex mutex;
  Result<Endpoints> endpoints = Endpoints{};
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

/// Whom the built-in resolver did not ask for a name that it did not find.
std::string hint_at_other_services() {
  std::ifstream file("/etc/nsswitch.conf", std::ios::binary);
  std::string text(nsswitch_size_max, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(file.gcount()));
  std::string names;
  for (const std::string& name : services_not_asked(text)) {
    names += (names.empty() ? "" : ", ") + name;
  }
  if (names.empty()) return {};
  return "; not asked: " + names +
         " of /etc/nsswitch.conf (connection.resolver = \"getent\" asks them)";
}

Error lookup_error(const std::string& host, int failure, int system_error) {
  const std::string what = "DNS: looking up " + host;
  Error error;
  if (failure == EAI_SYSTEM) {
    error = error_from_errno(what, system_error);
  } else {
    const bool is_unknown = failure == EAI_NONAME || failure == EAI_NODATA;
    error = Error{is_unknown ? ErrorCode::not_found : ErrorCode::unavailable,
                  what + ": " + ::gai_strerror(failure)};
  }
  error.message += hint_at_other_services();
  return error;
}

Result<Endpoints> ask_builtin(const HostAndPort& wanted) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_ADDRCONFIG | AI_NUMERICSERV;
  addrinfo* answer = nullptr;
  const std::string service = std::to_string(wanted.port);
  const int failure = ::getaddrinfo(wanted.host.c_str(), service.c_str(), &hints, &answer);
  if (failure != 0) return lookup_error(wanted.host, failure, errno);
  const std::unique_ptr<addrinfo, AddressListDeleter> list(answer);
  return endpoints_in(list.get());
}

Result<Endpoints> ask_host(const HostAndPort& wanted) {
  const auto found = ask_getent(wanted.host, std::chrono::steady_clock::now() + getent_time_max);
  if (!found) return found.error();
  Endpoints endpoints;
  for (const auto& one : *found) endpoints.emplace_back(one, wanted.port);
  return endpoints;
}

void ask(Lookup& lookup) {
  auto endpoints =
      lookup.resolver == Resolver::getent ? ask_host(lookup.wanted) : ask_builtin(lookup.wanted);
  const std::lock_guard lock(lookup.mutex);
  lookup.endpoints = std::move(endpoints);
}

/// Before the first lookup and once, since glibc keeps it in a table without a lock. It outlives
/// changes of nsswitch.conf.
Result<void> pin_name_services() {
  static const bool is_pinned = ::__nss_configure_lookup("hosts", "files dns") == 0;
  if (is_pinned) return {};
  return Error{ErrorCode::internal, "DNS: this libc cannot be told whom to ask"};
}

Result<std::shared_ptr<Lookup>> start_lookup(const HostAndPort& wanted, Resolver resolver) {
  if (const auto pinned = pin_name_services(); !pinned) return pinned.error();
  if (lookups_running.fetch_add(1) >= lookups_max) {
    lookups_running.fetch_sub(1);
    return Error{ErrorCode::limit_exceeded,
                 "DNS: earlier lookups still wait for the name servers; check /etc/resolv.conf"};
  }
  auto lookup = std::make_shared<Lookup>();
  lookup->wanted = wanted;
  lookup->resolver = resolver;
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

asio::awaitable<Result<Endpoints>> look_up(HostAndPort wanted, Resolver resolver,
                                           std::chrono::steady_clock::time_point deadline) {
  constexpr auto without_throwing = asio::as_tuple(asio::use_awaitable);
  const auto executor = co_await asio::this_coro::executor;
  const Result<std::shared_ptr<Lookup>> started = start_lookup(wanted, resolver);
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
                    "DNS: no answer for " + wanted.host + " in time; check the name servers"};
  }
  if (std::get<0>(waited)) co_return Error{ErrorCode::cancelled, "DNS: stopped"};
  const std::lock_guard lock(lookup.mutex);
  if (!lookup.endpoints) co_return lookup.endpoints.error();
  co_return interleaved(*lookup.endpoints);
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

asio::awaitable<Result<Endpoints>> resolve(HostAndPort wanted, Resolver resolver,
                                           std::chrono::steady_clock::time_point deadline) {
  if (wanted.host == "localhost") {
    co_return Endpoints{{asio::ip::address_v4::loopback(), wanted.port},
                        {asio::ip::address_v6::loopback(), wanted.port}};
  }
  boost::system::error_code not_numeric;
  const asio::ip::address numeric = asio::ip::make_address(wanted.host, not_numeric);
  if (!not_numeric) co_return Endpoints{{numeric, wanted.port}};
  auto endpoints = co_await look_up(std::move(wanted), resolver, deadline);
  co_return endpoints;
}

}  // namespace satellite::agent
