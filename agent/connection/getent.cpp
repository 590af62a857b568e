#include "agent/connection/getent.hpp"

#include "agent/connection/name_services.hpp"
#include "agent/runtime/program_output.hpp"

#include <sys/wait.h>

#include <array>

namespace satellite::agent {
namespace {

using Moment = std::chrono::steady_clock::time_point;

constexpr std::array programs{"/usr/bin/getent", "/bin/getent"};
constexpr std::size_t getent_addresses_max = 16;
// Some hundred lines.
constexpr ByteCount output_max{32'768};
// getent(1): "One or more supplied key could not be found in the database."
constexpr int exit_not_found = 2;

/// Asks the first of the programs that is there.
Result<ProgramAnswer> answer_about(const std::string& name, Moment deadline) {
  ProgramQuestion question{
      {"", "ahosts", name}, {"LC_ALL=C", "PATH=/usr/bin:/bin"}, deadline, output_max};
  for (const char* program : programs) {
    question.words.front() = program;
    auto answer = ask_program(question);
    if (answer || answer.error().code != ErrorCode::not_found) return answer;
  }
  return Error{ErrorCode::not_found,
               "DNS: this host has no /usr/bin/getent; install it (libc-bin, musl-utils), or set "
               "connection.resolver = \"builtin\""};
}

Error getent_is_late(const std::string& name) {
  return Error{ErrorCode::timed_out, "DNS: getent did not answer for " + name +
                                         " in time; check the host's name services"};
}

}  // namespace

Result<std::vector<boost::asio::ip::address>> ask_getent(const std::string& name, Moment deadline) {
  // It would be read as an option.
  if (name.starts_with('-')) {
    return Error{ErrorCode::invalid_input,
                 "DNS: getent cannot be asked for a name that begins with -"};
  }
  const auto answer = answer_about(name, deadline);
  if (!answer && answer.error().code == ErrorCode::timed_out) return getent_is_late(name);
  if (!answer && answer.error().code == ErrorCode::not_found) return answer.error();
  if (!answer) return Error{answer.error().code, "DNS: " + answer.error().message};
  const int status = answer->wait_status;
  if (WIFEXITED(status) && WEXITSTATUS(status) == exit_not_found) {
    return Error{ErrorCode::not_found, "DNS: getent knows no " + name};
  }
  if (!answer->ended_well()) {
    return Error{ErrorCode::io_failed, "DNS: getent failed for " + name + " (wait status " +
                                           std::to_string(status) + ")"};
  }
  auto addresses = addresses_of_getent(answer->output, getent_addresses_max);
  if (addresses.empty()) {
    return Error{ErrorCode::not_found, "DNS: getent printed no address for " + name};
  }
  return addresses;
}

}  // namespace satellite::agent
