#pragma once

#include "agent/packages/archive/package_contents.hpp"
#include "agent/packages/archive/tar_reader.hpp"
#include "protocol/vocabulary/result.hpp"

#include <string_view>

namespace satellite::agent {

/// Unpacks the archive that `archive` (a readable descriptor, from its beginning) holds into
/// `directory`, a descriptor of an empty directory: files 0444 or 0555, directories 0755.
///
/// Errors: as TarReader and Gunzip have them; io_failed, limit_exceeded and the like from the
///         calls. What was unpacked until then is left, for the caller to remove.
Result<PackageContents> unpack_archive(int archive, int directory, const ArchiveBounds& bounds);

/// What errno says of a file that was to be made: `unavailable` for want of room, else io_failed,
/// neither of which a rule of archives has.
Error unpack_file_error(std::string_view what);

}  // namespace satellite::agent
