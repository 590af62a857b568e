#pragma once

#include "sandbox/hints/host_topics.hpp"

#include <array>
#include <string>
#include <string_view>
#include <vector>

namespace satellite::sandbox {

/// What a run showed its script of the host, for each topic.
struct HostInView {
  std::array<bool, host_topic_count> shown{};
  bool has_own_files = false;        ///< a root of its own, which lacks most of the host's paths
  bool tells_owners = true;          ///< of processes, where those of the host are shown
  std::vector<std::string> paths{};  ///< that are shown beyond programs, libraries and devices

  bool& operator[](HostTopic topic) { return shown[static_cast<std::size_t>(topic)]; }
  bool operator[](HostTopic topic) const { return shown[static_cast<std::size_t>(topic)]; }
};

struct HintInputs {
  std::string_view script;
  bool is_module = false;
  bool honours_first_line = false;  ///< the interpreter that the script asks for runs it
  std::string_view shell;           ///< what `sh` is on this host, `dash`; empty = not known
  HostInView host;
  std::string_view output;  ///< the beginning of what the script wrote
};

/// At most so many for a run.
inline constexpr std::size_t hints_max = 3;

/// Why the answer of a script may be the sandbox's and not the host's.
///
/// Shape:  pure; short sentences for people, most important first, empty for nearly every script.
///         What the output tells goes before what the text tells, but of paths that are not there
///         only the first. They advise and prove nothing: a
///         script can cause any of them and avoid all.
std::vector<std::string> hints_for(const HintInputs& inputs);

}  // namespace satellite::sandbox
