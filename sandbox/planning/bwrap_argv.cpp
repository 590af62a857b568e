#include "sandbox/planning/wrapper_request.hpp"

#include <algorithm>
#include <cstdio>

namespace satellite::sandbox {
namespace {

std::vector<std::string> namespaces_and_identity(const WrapperRequest& request) {
  const bool namespaced =
      request.network.kind == NetworkDecision::Kind::namespaced && !request.enters_network;
  std::vector<std::string> argv{request.program, "--unshare-all",
                                namespaced ? "--unshare-net" : "--share-net", "--die-with-parent"};
  if (request.inner_uid) {
    if (request.inner_gid) {
      argv.insert(argv.end(), {"--gid", std::to_string(*request.inner_gid)});
    }
    argv.insert(argv.end(), {"--uid", std::to_string(*request.inner_uid)});
  }
  return argv;
}

class BubblewrapView {
 public:
  BubblewrapView(const WrapperRequest& request, const HostPaths& host, WrapperCommand& command)
      : request_(request), host_(host), command_(command) {}

  void add(const FileStep& step) {
    const std::string target = "/" + step.target;
    switch (step.kind) {
      case FileStepKind::directory:
        if (step.target == "dev") return words({"--dev", "/dev"});
        // Places and stand-ins that only the native engine needs.
        if (target.starts_with("/dev/") || is_stand_in(target)) return;
        return words({"--dir", target});
      case FileStepKind::link:
        if (target.starts_with("/dev/")) return;
        return words({"--symlink", step.source, target});
      case FileStepKind::text:
      case FileStepKind::own_text:
        if (is_stand_in(target)) return;
        return file(target, step.source);
      case FileStepKind::copy:
        return copy(target, step.source);
      case FileStepKind::append:
        return append(target, step.source);
      case FileStepKind::mirror:
        return mirror(target, step.source);
      case FileStepKind::bind:
        return words({step.writable ? "--bind" : "--ro-bind", step.source, target});
      case FileStepKind::shown:
      case FileStepKind::shown_programs:
        return words({"--ro-bind-try", step.source, target});
      case FileStepKind::memory:
        return memory(target, step);
      case FileStepKind::processes:
        return words({"--proc", target});
      case FileStepKind::mask:
        return mask(target, step);
      case FileStepKind::device:
      case FileStepKind::node:
      case FileStepKind::terminals:  // by --dev
      case FileStepKind::read_only:  // by --proc, for sys, irq, bus and sysrq-trigger
      case FileStepKind::setting:
      case FileStepKind::place:
      case FileStepKind::seal:
      case FileStepKind::disk:            // by the native engine alone
      case FileStepKind::host_processes:  // the same
        return;
    }
  }

  /// Last, when every place that is mounted on exists.
  void seal() { words({"--remount-ro", "/dev", "--remount-ro", "/"}); }

 private:
  void words(std::initializer_list<std::string> more) {
    command_.argv.insert(command_.argv.end(), more);
  }

  void mode(std::uint32_t bits) {
    if (!request_.sizes_memory) return;
    char text[16];
    std::snprintf(text, sizeof(text), "%04o", bits);
    words({"--perms", text});
  }

  void file(const std::string& target, const std::string& content) {
    mode(0644);
    const auto number = wrapper_file_fd_first + static_cast<int>(command_.files.size());
    words({"--file", std::to_string(number), target});
    command_.files.push_back(content);
    targets_.push_back(target);
  }

  void copy(const std::string& target, const std::string& source) {
    if (auto text = host_.public_text(source)) file(target, *text);
  }

  void append(const std::string& target, const std::string& text) {
    const auto made = std::find(targets_.begin(), targets_.end(), target);
    if (made == targets_.end()) return file(target, text);
    command_.files[static_cast<std::size_t>(made - targets_.begin())] += text;
  }

  void mirror(const std::string& target, const std::string& source) {
    const auto real = host_.real_path(source);
    if (!real || !host_.is_public(*real)) return;
    if (*real != source && is_shown_anyway(*real)) return words({"--symlink", *real, target});
    words({"--ro-bind", *real, target});
  }

  void memory(const std::string& target, const FileStep& step) {
    mode(step.mode);
    if (request_.sizes_memory) words({"--size", std::to_string(step.size)});
    words({"--tmpfs", target});
  }

  /// A device that is bound as a plain file cannot be opened.
  void mask(const std::string& target, const FileStep& step) {
    if (!host_.exists(target)) return;
    if (step.source == ".empty") return words({"--ro-bind", "/dev/null", target});
    words({"--tmpfs", target, "--remount-ro", target});
  }

  const WrapperRequest& request_;
  const HostPaths& host_;
  WrapperCommand& command_;
  std::vector<std::string> targets_;  ///< of command_.files
};

}  // namespace

bool is_stand_in(const std::string& path) {
  return path == "/.empty" || path == "/.nothing";
}

bool is_shown_anyway(const std::string& path) {
  for (const char* directory : {"/usr/", "/bin/", "/sbin/", "/lib/", "/lib64/"}) {
    if ((path + "/").starts_with(directory)) return true;
  }
  return false;
}

WrapperCommand bwrap_with_view(const WrapperRequest& request, const HostPaths& host) {
  WrapperCommand command;
  command.argv = namespaces_and_identity(request);
  BubblewrapView view(request, host, command);
  for (const auto& step : request.view) view.add(step);
  view.seal();
  command.argv.insert(command.argv.end(), {"--chdir", request.start_directory});
  return command;
}

std::vector<std::string> bwrap_argv(const WrapperRequest& request) {
  auto argv = namespaces_and_identity(request);
  const auto add = [&argv](std::initializer_list<std::string> words) {
    argv.insert(argv.end(), words);
  };
  if (!request.confined) {
    add({"--bind", "/", "/", "--proc", "/proc", "--dev", "/dev"});
    return argv;
  }
  for (const auto& path : request.read_only_before_scratch) add({"--ro-bind", path, path});
  // The scratch directory often lies below /tmp, so the fresh /tmp has to come before it.
  add({"--tmpfs", "/tmp", "--bind", request.scratch_directory, request.scratch_directory});
  if (request.read_only_after_scratch) {
    add({"--ro-bind", *request.read_only_after_scratch, *request.read_only_after_scratch});
  }
  add({"--proc", "/proc", "--dev", "/dev", "--chdir", request.start_directory});
  return argv;
}

}  // namespace satellite::sandbox
