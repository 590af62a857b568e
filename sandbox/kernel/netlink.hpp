#pragma once

#include "protocol/vocabulary/result.hpp"
#include "protocol/vocabulary/unique_fd.hpp"

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>

namespace satellite::sandbox::kernel {

/// One netlink message while it is put together: header, fixed part, attributes.
///
/// Shape:  begin_nested() and end_nested() come in pairs; the length is right after each call.
/// Source: netlink(7).
class NetlinkMessage {
 public:
  NetlinkMessage(std::uint16_t type, std::uint16_t flags);

  template <typename Part>
  NetlinkMessage& fixed(const Part& part) {
    static_assert(std::is_trivially_copyable_v<Part>);
    append(std::as_bytes(std::span(&part, 1)));
    return *this;
  }
  NetlinkMessage& attribute(std::uint16_t type, std::span<const std::byte> value);
  NetlinkMessage& text(std::uint16_t type, std::string_view value);  ///< with its closing NUL
  /// A number in the host's order (rtnetlink).
  template <typename Number>
  NetlinkMessage& number(std::uint16_t type, Number value) {
    return attribute(type, std::as_bytes(std::span(&value, 1)));
  }
  /// A 32-bit number in network order (nfnetlink).
  NetlinkMessage& network_number(std::uint16_t type, std::uint32_t value);
  std::size_t begin_nested(std::uint16_t type);
  void end_nested(std::size_t start);

  void set_sequence(std::uint32_t sequence);
  /// The whole message.
  std::string_view bytes() const { return bytes_; }

 private:
  void append(std::span<const std::byte> bytes);
  std::string bytes_;
};

/// The attributes in `bytes`, one after the other; false when they are torn or `visit` says so.
bool for_each_attribute(std::string_view bytes,
                        const std::function<bool(std::uint16_t type, std::string_view value)>&);

/// Whether everything in `asked` is in `found` as well: each attribute with the same bytes, nested
/// ones by the same rule, lists of elements with nothing added or left out.
bool holds_all_of(std::string_view found, std::string_view asked);

/// The sequence numbers of one question; a batch has one for each of its messages.
struct SequenceRange {
  std::uint32_t first = 0, last = 0;
  bool contains(std::uint32_t number) const { return number - first <= last - first; }
};

/// What one datagram says about a question.
struct AnswerReading {
  bool complete = false;  ///< the acknowledgement, or the end of a dump, is in it
  int error_number = 0;   ///< what went wrong instead; EBADMSG = the datagram is torn
};
using VisitAnswer = std::function<void(std::uint16_t type, std::string_view payload)>;

/// Reads the messages of one datagram; `visit` gets each that is part of the answer. Pure.
///
/// Shape:  a message with another sequence number belongs to a question that nobody waits for any
///         more, because its answer came too late. It is passed over, its error too.
/// Source: netlink(7); Documentation/userspace-api/netlink/intro.rst.
AnswerReading read_answer(std::string_view datagram, SequenceRange asked, const VisitAnswer& visit);

/// A netlink socket of the network namespace it was opened in. Waits at most two seconds for the
/// kernel, which answers within the call.
class NetlinkSocket {
 public:
  static Result<NetlinkSocket> open(int protocol);

  /// Sends one message and takes its acknowledgement. Errors: what the kernel answered.
  Result<void> request(NetlinkMessage message);
  /// Sends messages as one: all of them take effect or none (nfnetlink).
  Result<void> batch(std::span<NetlinkMessage> messages);
  /// Asks and gives each answer, without its header, to `visit`.
  Result<void> dump(NetlinkMessage question, const VisitAnswer& visit);
  int descriptor() const { return fd_.get(); }

 private:
  explicit NetlinkSocket(UniqueFd fd) : fd_(std::move(fd)) {}
  Result<void> send(std::string_view bytes) const;
  Result<void> take_answer(SequenceRange asked, const VisitAnswer& visit) const;

  UniqueFd fd_;
  std::uint32_t sequence_ = 0;
};

}  // namespace satellite::sandbox::kernel
