#pragma once

#include "protocol/vocabulary/byte_count.hpp"
#include "protocol/vocabulary/result.hpp"

#include <string>

namespace satellite::agent {

/// A file that only its owner, and at most a group that reads, may see: the token, a private key,
/// a password.
///
/// Shape:  the bytes as they are, in a buffer that was never moved, so that one wipe(...) takes
///         them all; one byte more than `size_max` where there is more.
/// Errors: those of open(2) and read(2); invalid_input for what is no regular file; not_permitted
///         where others could read or replace it (any bit for others, or group-writable;
///         group-readable is how fsGroup mounts look). Each begins with `name`.
Result<std::string> read_secret_file(const std::string& path, const std::string& name,
                                     ByteCount size_max);

/// Whether it is in vain to read a file again before it changes: what is wrong with the file itself
/// stays so; a lack of descriptors or a server that does not answer passes without a change.
bool lasts(const Error& error);

}  // namespace satellite::agent
