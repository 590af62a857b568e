#include "tests/names/name_server.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <map>
#include <optional>
#include <stdexcept>

namespace satellite::tests {
namespace {

constexpr std::uint16_t name_port = 53;
constexpr std::uint16_t type_cname = 5, type_aaaa = 28;
constexpr std::uint16_t refused_format = 0x8181, good = 0x8180, server_failure = 0x8182;
constexpr std::uint16_t no_such_name = 0x8183, truncated = 0x0200;
constexpr std::size_t header_size = 12, datagram_size_max = 512;

struct Zone {
  std::vector<std::string> addresses;  ///< of both families
  std::string alias;
  bool fails = false;
  bool is_silent_for_aaaa = false;
};

std::vector<std::string> many_addresses() {
  std::vector<std::string> addresses;
  for (int i = 1; i <= 150; ++i) addresses.push_back("192.0.2." + std::to_string(i));
  return addresses;
}

const std::map<std::string, Zone>& zones() {
  static const std::map<std::string, Zone> all{
      {"core.example.test", {{"192.0.2.10", "2001:db8::10"}, {}}},
      {"v6.example.test", {{"2001:db8::6"}, {}}},
      {"v4.example.test", {{"192.0.2.4"}, {}}},
      {"a.b.example.test", {{"192.0.2.42"}, {}}},
      {"many.example.test", {many_addresses(), {}}},
      {"alias.example.test", {{}, "core.example.test"}},
      {"nodata.example.test", {}},
      {"halfdead.example.test", {{"192.0.2.99"}, {}, false, true}},
      {"servfail.example.test", {{}, {}, true}},
      {"core.other.test", {{"192.0.2.77"}, {}}},
  };
  return all;
}

void put16(std::string& out, std::uint16_t value) {
  out += static_cast<char>(value >> 8U);
  out += static_cast<char>(value & 0xffU);
}

std::uint16_t get16(const std::string& text, std::size_t at) {
  const auto high = static_cast<unsigned char>(text.at(at));
  const auto low = static_cast<unsigned char>(text.at(at + 1));
  return static_cast<std::uint16_t>(high << 8U | low);
}

std::string encoded(const std::string& name) {
  std::string out;
  std::size_t begin = 0;
  while (begin <= name.size()) {
    const std::size_t end = std::min(name.find('.', begin), name.size());
    out += static_cast<char>(end - begin);
    out += name.substr(begin, end - begin);
    begin = end + 1;
  }
  return out + '\0';
}

void put_record(std::string& out, const std::string& owner, std::uint16_t type,
                const std::string& value) {
  out += owner;
  put16(out, type);
  put16(out, 1);
  out += std::string("\0\0\0\x3c", 4);
  put16(out, static_cast<std::uint16_t>(value.size()));
  out += value;
}

/// The bytes of an address, if it is of the family that was asked for.
std::optional<std::string> bytes_of(const std::string& address, std::uint16_t type) {
  std::array<char, 16> bytes{};
  const bool is_six = address.find(':') != std::string::npos;
  if (is_six != (type == type_aaaa)) return std::nullopt;
  if (::inet_pton(is_six ? AF_INET6 : AF_INET, address.c_str(), bytes.data()) != 1) {
    throw std::logic_error("zone: " + address);
  }
  return std::string(bytes.data(), is_six ? 16 : 4);
}

UniqueFd open_socket(const std::string& address, int type) {
  sockaddr_storage where{};
  socklen_t size = 0;
  if (address.find(':') != std::string::npos) {
    auto& six = reinterpret_cast<sockaddr_in6&>(where);
    six.sin6_family = AF_INET6;
    six.sin6_port = htons(name_port);
    ::inet_pton(AF_INET6, address.c_str(), &six.sin6_addr);
    size = sizeof(six);
  } else {
    auto& four = reinterpret_cast<sockaddr_in&>(where);
    four.sin_family = AF_INET;
    four.sin_port = htons(name_port);
    ::inet_pton(AF_INET, address.c_str(), &four.sin_addr);
    size = sizeof(four);
  }
  UniqueFd fd(::socket(where.ss_family, type | SOCK_CLOEXEC, 0));
  const int on = 1;
  ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  if (::bind(fd.get(), reinterpret_cast<sockaddr*>(&where), size) != 0 ||
      (type == SOCK_STREAM && ::listen(fd.get(), 16) != 0)) {
    throw std::runtime_error("name server on " + address + ": " + std::strerror(errno));
  }
  return fd;
}

bool read_whole(int fd, std::string& text, std::size_t size) {
  text.resize(size);
  return ::recv(fd, text.data(), size, MSG_WAITALL) == static_cast<ssize_t>(size);
}

}  // namespace

NameServer::NameServer(const std::string& address, NameServerHabit habit)
    : habit_(habit),
      datagrams_(open_socket(address, SOCK_DGRAM)),
      connections_(open_socket(address, SOCK_STREAM)),
      stop_(::eventfd(0, EFD_CLOEXEC)),
      thread_([this] { serve(); }) {}

NameServer::~NameServer() {
  ::eventfd_write(stop_.get(), 1);
  thread_.join();
}

void NameServer::serve() {
  for (;;) {
    std::array<pollfd, 3> watched{pollfd{stop_.get(), POLLIN, 0},
                                  pollfd{datagrams_.get(), POLLIN, 0},
                                  pollfd{connections_.get(), POLLIN, 0}};
    if (::poll(watched.data(), watched.size(), -1) < 0) continue;
    if (watched[0].revents != 0) return;
    if (watched[1].revents != 0) serve_datagram();
    if (watched[2].revents != 0) serve_connection();
  }
}

void NameServer::serve_datagram() {
  std::string question(4096, '\0');
  sockaddr_storage from{};
  socklen_t size = sizeof(from);
  const ssize_t length = ::recvfrom(datagrams_.get(), question.data(), question.size(), 0,
                                    reinterpret_cast<sockaddr*>(&from), &size);
  if (length < static_cast<ssize_t>(header_size)) return;
  question.resize(static_cast<std::size_t>(length));
  ++by_udp_;
  const std::string text = answer(question, false);
  if (text.empty()) return;
  ::sendto(datagrams_.get(), text.data(), text.size(), 0, reinterpret_cast<sockaddr*>(&from), size);
}

/// Question after question until the peer has no more.
void NameServer::serve_connection() {
  const UniqueFd peer(::accept4(connections_.get(), nullptr, nullptr, SOCK_CLOEXEC));
  std::string length, question;
  while (read_whole(peer.get(), length, 2) && read_whole(peer.get(), question, get16(length, 0))) {
    ++by_tcp_;
    const std::string text = answer(question, true);
    if (text.empty()) return;
    std::string framed;
    put16(framed, static_cast<std::uint16_t>(text.size()));
    framed += text;
    ::send(peer.get(), framed.data(), framed.size(), MSG_NOSIGNAL);
  }
}

std::string NameServer::answer(const std::string& question, bool by_tcp) {
  std::string name;
  std::size_t at = header_size;
  for (auto size = static_cast<std::size_t>(question.at(at)); size != 0;
       size = static_cast<std::size_t>(question.at(at))) {
    name += (name.empty() ? "" : ".") + question.substr(at + 1, size);
    at += size + 1;
  }
  const std::uint16_t type = get16(question, at + 1);
  const std::size_t question_end = at + 5;
  const bool has_edns = get16(question, 10) > 0;
  if (habit_ == NameServerHabit::silent) return {};
  if (habit_ == NameServerHabit::slow) std::this_thread::sleep_for(slowness);

  std::uint16_t flags = good;
  std::string records;
  std::uint16_t count = 0;
  const auto found = zones().find(name);
  if (habit_ == NameServerHabit::refuses_edns && has_edns) {
    flags = refused_format;
  } else if (found == zones().end()) {
    flags = no_such_name;
  } else if (found->second.fails) {
    flags = server_failure;
  } else {
    if (found->second.is_silent_for_aaaa && type == type_aaaa) return {};
    std::string owner("\xc0\x0c", 2);
    const Zone* zone = &found->second;
    if (!zone->alias.empty()) {
      put_record(records, owner, type_cname, encoded(zone->alias));
      owner = encoded(zone->alias);
      zone = &zones().at(zone->alias);
      ++count;
    }
    for (const std::string& address : zone->addresses) {
      const auto bytes = bytes_of(address, type);
      if (!bytes) continue;
      put_record(records, owner, type, *bytes);
      ++count;
    }
  }
  if (!by_tcp && question_end + records.size() > datagram_size_max) {
    flags |= truncated;
    records.clear();
    count = 0;
  }
  std::string out = question.substr(0, 2);
  put16(out, flags);
  for (const std::uint16_t number : {std::uint16_t{1}, count, std::uint16_t{0}, std::uint16_t{0}}) {
    put16(out, number);
  }
  return out + question.substr(header_size, question_end - header_size) + records;
}

}  // namespace satellite::tests
