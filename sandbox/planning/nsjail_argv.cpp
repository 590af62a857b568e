// nsjail as it is, not as the reference satellite writes it. Its defaults are not ours: it would
// limit address space, file size, descriptors and time, lower the priority, and show nothing but
// what it is told.
#include "sandbox/planning/wrapper_request.hpp"

#include <algorithm>
#include <cstdio>
#include <utility>

namespace satellite::sandbox {
namespace {

/// A network with a way out is entered before nsjail starts; the host's stays as it is.
bool keeps_network(const WrapperRequest& request) {
  return request.network.kind != NetworkDecision::Kind::namespaced || request.enters_network;
}

/// A string of a protocol buffer's text form: whatever is not plain is written as an octal number.
std::string proto_text(const std::string& text) {
  std::string answer = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte < 0x7f && c != '"' && c != '\\') {
      answer += c;
      continue;
    }
    char octal[5];
    std::snprintf(octal, sizeof(octal), "\\%03o", byte);
    answer += octal;
  }
  return answer + "\"";
}

class NsjailView {
 public:
  NsjailView(const HostPaths& host, std::vector<std::string>& argv) : host_(host), argv_(argv) {}

  void add(const FileStep& step) {
    const std::string target = "/" + step.target;
    switch (step.kind) {
      case FileStepKind::link:
        return words({"--symlink", step.source + ":" + target});
      case FileStepKind::text:
      case FileStepKind::own_text:
        // Stand-ins that only the native engine needs.
        if (is_stand_in(target)) return;
        return file(target, step.source);
      case FileStepKind::copy:
        return file(target, host_.public_text(step.source).value_or(""));
      case FileStepKind::append:
        return append(target, step.source);
      case FileStepKind::mirror:
        return mirror(target, step.source);
      case FileStepKind::bind:
        return words(
            {step.writable ? "--bindmount" : "--bindmount_ro", step.source + ":" + target});
      case FileStepKind::device:
      case FileStepKind::node:
        return device(target);
      case FileStepKind::shown:
      case FileStepKind::shown_programs:
        return words({"--bindmount_ro", step.source + ":" + target});
      case FileStepKind::memory:
        return memory(target, step);
      case FileStepKind::terminals:
        return words(
            {"--mount", "none:" + target + ":devpts:newinstance,ptmxmode=0666,mode=620,max=64"});
      case FileStepKind::processes:
        return mount("dst: " + proto_text(target) + " fstype: \"proc\" noexec: true");
      case FileStepKind::mask:
        return mask(target, step);
      case FileStepKind::directory:  // on the way to what is shown they are made anyway
      case FileStepKind::read_only:  // all of proc is
      case FileStepKind::setting:
      case FileStepKind::place:
      case FileStepKind::seal:
      case FileStepKind::disk:            // by the native engine alone
      case FileStepKind::host_processes:  // the same
        return;
    }
  }

  /// What has no option: proc with its masks, and the files that are made for the run.
  std::string settings() const {
    std::string text = mounts_;
    for (const auto& [target, content] : files_) {
      if (content.empty()) continue;
      text += mount_text("dst: " + proto_text(target) + " src_content: " + proto_text(content));
    }
    return text;
  }

 private:
  void words(std::initializer_list<std::string> more) {
    argv_.insert(argv_.end(), more.begin(), more.end());
  }
  static std::string mount_text(const std::string& fields) {
    return "mount { " + fields + " rw: false nosuid: true nodev: true }\n";
  }
  void mount(const std::string& fields) { mounts_ += mount_text(fields); }
  /// nsjail opens each place that it mounts on, so it cannot cover what the script cannot read.
  void mask(const std::string& target, const FileStep& step) {
    if (!host_.exists(target) || !host_.is_public(target)) return;
    if (step.source == ".empty") {
      return mount("src: \"/dev/null\" dst: " + proto_text(target) +
                   " is_bind: true is_dir: false");
    }
    mount("dst: " + proto_text(target) + " fstype: \"tmpfs\" options: \"size=4096\"");
  }
  void file(const std::string& target, const std::string& content) {
    files_.emplace_back(target, content);
  }
  void append(const std::string& target, const std::string& text) {
    const auto made = std::find_if(files_.begin(), files_.end(),
                                   [&target](const auto& one) { return one.first == target; });
    if (made == files_.end()) return file(target, text);
    made->second += text;
  }
  void mirror(const std::string& target, const std::string& source) {
    const auto real = host_.real_path(source);
    if (!real || !host_.is_public(*real)) return;
    if (*real != source && is_shown_anyway(*real)) {
      return words({"--symlink", *real + ":" + target});
    }
    words({"--bindmount_ro", *real + ":" + target});
  }
  void device(const std::string& target) {
    if (host_.exists(target)) words({"--bindmount", target + ":" + target});
  }
  void memory(const std::string& target, const FileStep& step) {
    char mode[8];
    std::snprintf(mode, sizeof(mode), "%04o", step.mode);
    words({"--mount",
           "none:" + target + ":tmpfs:size=" + std::to_string(step.size) + ",mode=" + mode});
  }

  const HostPaths& host_;
  std::vector<std::string>& argv_;
  std::string mounts_;
  std::vector<std::pair<std::string, std::string>> files_;
};

/// nsjail parts source and target by colons and knows no other way to write one.
bool has_colon(const FileStep& step) {
  const bool is_bound = step.kind == FileStepKind::bind || step.kind == FileStepKind::shown ||
                        step.kind == FileStepKind::shown_programs;
  return step.target.find(':') != std::string::npos ||
         (is_bound && step.source.find(':') != std::string::npos);
}

}  // namespace

WrapperCommand nsjail_with_view(const WrapperRequest& request, const HostPaths& host) {
  WrapperCommand command;
  auto& argv = command.argv;
  const auto add = [&argv](std::initializer_list<std::string> words) {
    argv.insert(argv.end(), words.begin(), words.end());
  };
  std::vector<std::string> view_words;
  NsjailView view(host, view_words);
  for (const auto& step : request.view) view.add(step);
  add({request.program});
  // What a settings file says replaces what stood before it.
  if (auto settings = view.settings(); !settings.empty()) {
    add({"--config", "/proc/self/fd/" + std::to_string(wrapper_file_fd_first)});
    command.files.push_back(std::move(settings));
  }
  add({"--quiet", "--mode", "o", "--disable_rlimits", "--time_limit", "0"});
  if (!request.host_name.empty()) add({"--hostname", request.host_name});
  if (keeps_network(request)) add({"--disable_clone_newnet"});
  if (request.inner_uid) {
    add({"--user", std::to_string(*request.inner_uid)});
    if (request.inner_gid) add({"--group", std::to_string(*request.inner_gid)});
  }
  if (!request.confined) add({"--rw", "--proc_rw", "--bindmount", "/:/"});
  argv.insert(argv.end(), view_words.begin(), view_words.end());
  return command;
}

std::string nsjail_reason_to_reject(const WrapperRequest& request) {
  const auto bad = std::find_if(request.view.begin(), request.view.end(), has_colon);
  if (bad == request.view.end()) return {};
  return "nsjail cannot show a path that holds a colon (/" + bad->target +
         "): choose another directory, or install bubblewrap";
}

}  // namespace satellite::sandbox
