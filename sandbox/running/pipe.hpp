#pragma once

#include "protocol/vocabulary/result.hpp"
#include "protocol/vocabulary/unique_fd.hpp"

namespace satellite::sandbox {

/// Both ends of a pipe, closed at exec, as large as an unprivileged user may have it: script and
/// agent then take turns less often.
struct Pipe {
  UniqueFd read_end, write_end;
};
Result<Pipe> make_pipe();

}  // namespace satellite::sandbox
