// The escape probe: one static program, one attempt per start, one line of answer. It tries what a
// hostile script would try and tells what the kernel said; it does nothing at all where an attempt
// could succeed against the real machine.
//
//   escape_probe NONCE PID,MNT,USER VERB WORDS...
//
// The nonce must also be in SATELLITE_ESCAPE_NONCE: nobody types that by accident. The numbers are
// the inodes of the host's namespaces, which tell the probe where it is not.
#include "tests/escape/probe/confinement.hpp"
#include "tests/escape/probe/verb.hpp"

#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace satellite::escape {
namespace {

constexpr int exit_worked = 0, exit_denied = 10, exit_usage = 98, exit_refused = 99;

const Verb* find_verb(const char* name) {
  Verbs (*const all[])() = {file_verbs,     mount_verbs,      privilege_verbs, process_verbs,
                            call_verbs,     network_verbs,    egress_verbs,    ipc_verbs,
                            terminal_verbs, scheduling_verbs, shared_verbs,    flood_verbs,
                            victim_verbs};
  for (const auto verbs : all) {
    const Verbs some = verbs();
    for (int i = 0; i < some.count; ++i) {
      if (std::strcmp(some.first[i].name, name) == 0) return &some.first[i];
    }
  }
  return nullptr;
}

int refuse(const char* why) {
  std::printf("REFUSED %s\n", why);
  return exit_refused;
}

int run(int count, char** words) {
  if (count < 4) return refuse("usage: NONCE PID,MNT,USER VERB WORDS...");
  const char* const nonce = std::getenv("SATELLITE_ESCAPE_NONCE");
  if (nonce == nullptr || *nonce == '\0' || std::strcmp(nonce, words[1]) != 0) {
    return refuse("the nonce of the harness is missing");
  }
  const Verb* const verb = find_verb(words[3]);
  if (verb == nullptr || count != 4 + verb->arguments) {
    std::printf("USAGE no verb '%s' with %d words\n", words[3], count - 4);
    return exit_usage;
  }
  const Situation here = situation_beside(words[2]);
  if (!here.known) return refuse("cannot tell where this is");
  if (here.privileged) return refuse("privileged on the host");
  if (verb->danger == Danger::other && !here.confined) return refuse("not confined");
  if (verb->danger == Danger::victim && !is_victim(words[4], nonce)) return refuse("no victim");
  std::fflush(stdout);
  const long result = verb->attempt(words + 4);
  std::printf("RESULT %s %s %s\n", verb->name,
              result >= 0 ? "ok" : name_of_errno(static_cast<int>(-result)), said());
  std::fflush(stdout);
  return result >= 0 ? exit_worked : exit_denied;
}

}  // namespace
}  // namespace satellite::escape

int main(int count, char** words) {
  return satellite::escape::run(count, words);
}
