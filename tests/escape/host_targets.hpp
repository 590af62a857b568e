#pragma once

#include "protocol/vocabulary/unique_fd.hpp"
#include "tests/support/temp_dir.hpp"

#include <map>
#include <string>

namespace satellite::tests {

/// Things of this host that a script must not reach: files, sockets, queues, processes, all made
/// for this test and gone with it. All of them are open to every user, so that what keeps a script
/// away is never just their permissions.
class HostTargets {
 public:
  HostTargets();
  ~HostTargets();
  HostTargets(const HostTargets&) = delete;
  HostTargets& operator=(const HostTargets&) = delete;

  /// The words with `{port}`, `{outside}`, `{harness}` and so on filled in.
  std::string filled_in(std::string words) const;
  void set(const std::string& name, const std::string& value) { names_[name] = value; }

 private:
  void listen_on_loopback();
  void listen_on_unix_sockets();
  void make_queues();

  TempDir directory_;
  UniqueFd four_, six_, abstract_, path_;
  int shared_memory_ = -1, semaphores_ = -1, messages_ = -1;
  std::string queue_, shared_file_;
  std::map<std::string, std::string> names_;
};

}  // namespace satellite::tests
