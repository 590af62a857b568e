#pragma once

namespace satellite::sandbox::bare {

/// A descriptor (O_PATH) of what an absolute path names if no part of it is a link, as openat2(2)
/// with RESOLVE_NO_SYMLINKS gives it; also where that call is answered with ENOSYS, as by systemd's
/// RestrictSUIDSGID=, which cannot look at its flags.
///
/// Errors: the negative errno; ELOOP for a link.
long open_without_links(const char* path);

}  // namespace satellite::sandbox::bare
