#include "sandbox/launcher/bare/loopback.hpp"

#include <arpa/inet.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <array>
#include <catch2/catch.hpp>
#include <cerrno>
#include <string>

using namespace satellite::sandbox;

namespace {

struct Socket {
  std::uint8_t family = AF_INET;
  std::array<std::uint32_t, 4> address{};
  std::uint8_t state = TCP_LISTEN;
  std::uint32_t waiting = 0, most = 128;
};

std::string bytes_of(const Socket& socket, bool only_ipv6 = false) {
  inet_diag_msg message{};
  message.idiag_family = socket.family;
  message.idiag_state = socket.state;
  message.id.idiag_sport = htons(8080);
  for (std::size_t i = 0; i < 4; ++i) message.id.idiag_src[i] = htonl(socket.address[i]);
  message.idiag_rqueue = socket.waiting;
  message.idiag_wqueue = socket.most;
  std::string bytes(reinterpret_cast<const char*>(&message), sizeof(message));
  if (socket.family != AF_INET6) return bytes;
  const char attribute[8] = {5, 0, 11, 0, static_cast<char>(only_ipv6 ? 1 : 0), 0, 0, 0};
  return bytes + std::string(attribute, sizeof(attribute));
}

std::string families_of(const std::string& bytes) {
  const auto listener = bare::read_listener(bytes.data(), bytes.size());
  std::string text;
  for (const int family : {AF_INET, AF_INET6}) {
    if (!listener.takes({family, 8080})) continue;
    text += family == AF_INET ? "4" : "6";
    CHECK_FALSE(listener.takes({family, 8081}));
  }
  return text;
}

}  // namespace

TEST_CASE("a listener counts for the loopback addresses at which it would take a connection") {
  CHECK(families_of(bytes_of({})) == "4");
  CHECK(families_of(bytes_of({.address = {0x7f00'0001}})) == "4");
  CHECK(families_of(bytes_of({.address = {0x7f00'0002}})).empty());
  CHECK(families_of(bytes_of({.address = {0xc000'0201}})).empty());
  CHECK(families_of(bytes_of({.family = AF_INET6})) == "46");
  CHECK(families_of(bytes_of({.family = AF_INET6}, true)) == "6");
  CHECK(families_of(bytes_of({.family = AF_INET6, .address = {0, 0, 0, 1}})) == "6");
  CHECK(families_of(bytes_of({.family = AF_INET6, .address = {0, 0, 0xffff, 0x7f00'0001}})) == "4");
  CHECK(families_of(bytes_of({.family = AF_INET6, .address = {0x2001'0db8, 0, 0, 1}})).empty());
}

TEST_CASE("a full queue, another state and torn bytes are no listener") {
  CHECK(families_of(bytes_of({.waiting = 128, .most = 128})) == "4");
  CHECK(families_of(bytes_of({.waiting = 129, .most = 128})).empty());
  CHECK(families_of(bytes_of({.state = TCP_ESTABLISHED})).empty());
  const std::string whole = bytes_of({});
  for (std::size_t size = 0; size < whole.size(); ++size) {
    CHECK(families_of(whole.substr(0, size)).empty());
  }
}

namespace {

std::string message_of(std::uint16_t type, std::uint32_t sequence, const std::string& payload) {
  nlmsghdr head{};
  head.nlmsg_len = static_cast<std::uint32_t>(sizeof(head) + payload.size());
  head.nlmsg_type = type;
  head.nlmsg_seq = sequence;
  return std::string(reinterpret_cast<const char*>(&head), sizeof(head)) + payload;
}

std::string number(int value) {
  return {reinterpret_cast<const char*>(&value), sizeof(value)};
}

}  // namespace

TEST_CASE("an answer is read to its end, which says how the dump went") {
  using bare::DumpReading;
  constexpr std::uint32_t asked = 7;
  const bare::Place places[] = {{AF_INET, 8080}, {AF_INET, 80}};
  bool found[2] = {};
  const auto read = [&](const std::string& bytes) {
    return bare::read_listeners(bytes.data(), bytes.size(), asked, places, found, 2);
  };
  const std::string listener = message_of(SOCK_DIAG_BY_FAMILY, asked, bytes_of({}));
  CHECK(read(message_of(SOCK_DIAG_BY_FAMILY, asked - 1, bytes_of({}))) == DumpReading::goes_on);
  CHECK_FALSE(found[0]);
  CHECK(read(listener + message_of(NLMSG_DONE, asked, number(0))) == DumpReading::complete);
  CHECK(found[0]);
  CHECK_FALSE(found[1]);
  CHECK(read(listener) == DumpReading::goes_on);
  CHECK(read(message_of(NLMSG_DONE, asked, "")) == DumpReading::complete);
  // So a kernel answers that cannot list sockets of this protocol.
  CHECK(read(message_of(NLMSG_DONE, asked, number(-ENOENT))) == DumpReading::failed);
  CHECK(read(message_of(NLMSG_ERROR, asked, number(-EPERM))) == DumpReading::failed);
  const std::string whole = listener + message_of(NLMSG_DONE, asked, number(0));
  for (std::size_t size = 0; size < whole.size(); ++size) {
    CHECK(read(whole.substr(0, size)) != DumpReading::complete);
  }
}
