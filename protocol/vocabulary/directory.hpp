#pragma once

#include <dirent.h>
#include <memory>

namespace satellite {

struct CloseDirectory {
  void operator()(DIR* directory) const { ::closedir(directory); }
};

/// The one owner of an open listing; closes it. Source: readdir(3).
using Directory = std::unique_ptr<DIR, CloseDirectory>;

}  // namespace satellite
