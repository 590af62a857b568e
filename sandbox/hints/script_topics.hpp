#pragma once

#include "sandbox/hints/host_topics.hpp"

#include <string_view>
#include <vector>

namespace satellite::sandbox {

/// In which language a script is written, as far as a reader of its text has to know.
enum class ScriptKind {
  shell,
  quoting,    ///< perl, ruby, php: text in back quotes is a command
  scripting,  ///< python, JavaScript and others: commands stand in calls
};

/// What `script` seems to ask the host about: the first word for each topic, in their order.
///
/// Shape:  pure. In a shell script a program counts where a command stands, or as a path that a
///         variable gets; in other languages inside calls that run commands, or as an absolute
///         path. Comments and documentation never count. Names of libraries count anywhere. The
///         first 64 KiB are read.
std::vector<HostMention> topics_of_script(std::string_view script, ScriptKind kind);

/// By the name of the interpreter (first_line); an unknown one is read as a shell.
ScriptKind kind_of_interpreter(std::string_view name);

}  // namespace satellite::sandbox
