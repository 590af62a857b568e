#include "sandbox/kernel/netlink.hpp"

#include <linux/netlink.h>
#include <catch2/catch.hpp>
#include <cerrno>
#include <string>
#include <vector>

using namespace satellite::sandbox::kernel;

namespace {

std::string message(std::uint16_t type, std::uint32_t sequence, std::string payload,
                    std::uint16_t flags = 0) {
  nlmsghdr header{};
  header.nlmsg_len = static_cast<std::uint32_t>(sizeof(header) + payload.size());
  header.nlmsg_type = type;
  header.nlmsg_flags = flags;
  header.nlmsg_seq = sequence;
  std::string bytes(reinterpret_cast<const char*>(&header), sizeof(header));
  bytes += payload;
  bytes.resize((bytes.size() + 3) / 4 * 4);
  return bytes;
}

std::string errno_of(int number) {
  const int negative = -number;
  return std::string(reinterpret_cast<const char*>(&negative), sizeof(negative));
}

std::string refusal(std::uint32_t sequence, int number) {
  return message(NLMSG_ERROR, sequence, errno_of(number) + std::string(16, '\0'));
}

struct Seen {
  AnswerReading reading;
  std::vector<std::string> parts;
};

Seen read(const std::string& datagram, SequenceRange asked) {
  Seen seen;
  seen.reading = read_answer(datagram, asked, [&](std::uint16_t, std::string_view payload) {
    seen.parts.emplace_back(payload);
  });
  return seen;
}

}  // namespace

TEST_CASE("an acknowledgement and a refusal are told apart") {
  CHECK(read(refusal(7, 0), {7, 7}).reading.complete);
  CHECK(read(refusal(7, 0), {7, 7}).reading.error_number == 0);
  CHECK(read(refusal(7, EEXIST), {7, 7}).reading.complete);
  CHECK(read(refusal(7, EEXIST), {7, 7}).reading.error_number == EEXIST);
}

TEST_CASE("an answer that came too late is not taken for that to another question") {
  // The question before this one was given up after two seconds; now both answers are there.
  const auto late_error = read(refusal(6, EBUSY) + refusal(7, 0), {7, 7});
  CHECK(late_error.reading.complete);
  CHECK(late_error.reading.error_number == 0);
  const auto late_acknowledgement = read(refusal(6, 0), {7, 7});
  CHECK_FALSE(late_acknowledgement.reading.complete);
  const auto late_dump =
      read(message(40, 6, "old.", NLM_F_MULTI) + message(NLMSG_DONE, 6, errno_of(0)), {7, 7});
  CHECK_FALSE(late_dump.reading.complete);
  CHECK(late_dump.parts.empty());
}

TEST_CASE("a batch is refused by the error of any of its messages, and done with its last one") {
  CHECK_FALSE(read(refusal(4, 0), {3, 5}).reading.complete);
  CHECK(read(refusal(5, 0), {3, 5}).reading.complete);
  const auto refused = read(refusal(4, EINVAL), {3, 5});
  CHECK(refused.reading.complete);
  CHECK(refused.reading.error_number == EINVAL);
  CHECK_FALSE(read(refusal(2, EINVAL), {3, 5}).reading.complete);
  // Numbers begin anew after the largest one.
  CHECK(read(refusal(1, 0), {0xffff'fffe, 1}).reading.complete);
}

TEST_CASE("a dump is what came before its end, and an error where the kernel says so") {
  const std::string parts =
      message(40, 7, "one.", NLM_F_MULTI) + message(40, 7, "two.", NLM_F_MULTI);
  const auto whole = read(parts + message(NLMSG_DONE, 7, errno_of(0)), {7, 7});
  CHECK(whole.reading.complete);
  CHECK(whole.reading.error_number == 0);
  CHECK(whole.parts == std::vector<std::string>{"one.", "two."});
  CHECK_FALSE(read(parts, {7, 7}).reading.complete);
  CHECK(read(parts + message(NLMSG_DONE, 7, errno_of(ENOMEM)), {7, 7}).reading.error_number ==
        ENOMEM);
  // What was listed changed meanwhile, so that some of it may be missing.
  const auto interrupted = read(message(40, 7, "one.", NLM_F_MULTI | NLM_F_DUMP_INTR), {7, 7});
  CHECK(interrupted.reading.error_number == EAGAIN);
}

TEST_CASE("a datagram that is torn is an error at once, not a wait for more") {
  const std::string whole = message(40, 7, "part");
  for (std::size_t size = 1; size < whole.size(); ++size) {
    INFO(size << " bytes");
    CHECK(read(whole.substr(0, size), {7, 7}).reading.error_number == EBADMSG);
  }
  CHECK(read(message(NLMSG_ERROR, 7, "x"), {7, 7}).reading.error_number == EBADMSG);
}
