#include "sandbox/running/module_runtimes.hpp"

#include "sandbox/probing/probing.hpp"

#include <sys/stat.h>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <charconv>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <system_error>
#include <utility>

namespace satellite::sandbox {

namespace asio = boost::asio;

namespace {

constexpr std::chrono::seconds retry_after{60};
constexpr std::chrono::seconds trial_time{20};
constexpr int node_major_min = 18;

constexpr const char* remedy =
    "install bun or node (18 or newer) where the satellite's PATH finds it, or name one in "
    "sandbox.module_runtime";

/// Says who runs it, and whether node can take types away.
constexpr const char* trial_script =
    R"(const { stripTypeScriptTypes } = await import("node:module");
return { bun: process.versions.bun, node: process.versions.node,
  removesTypes: typeof stripTypeScriptTypes === "function" };)";

std::string real_path(const std::string& path) {
  std::error_code problem;
  const auto real = std::filesystem::canonical(path, problem);
  return problem ? std::string() : real.string();
}

/// Changes when the program is replaced.
std::string stamp_of(const std::string& path) {
  struct stat facts {};
  if (::stat(path.c_str(), &facts) != 0) return {};
  return std::to_string(facts.st_dev) + ":" + std::to_string(facts.st_ino) + ":" +
         std::to_string(facts.st_size) + ":" + std::to_string(facts.st_mtim.tv_sec) + "." +
         std::to_string(facts.st_mtim.tv_nsec);
}

RuntimeKind kind_of(const std::string& path) {
  const std::string name = path.substr(path.rfind('/') + 1);
  return name.starts_with("bun") ? RuntimeKind::bun : RuntimeKind::node;
}

RunRequest trial_request() {
  RunRequest request;
  request.id = RunId("runtime-trial");
  request.language = Language::module;
  request.script = trial_script;
  request.timeout = trial_time;
  return request;
}

std::string problem_of(const RunResult& result) {
  if (result.answer) {
    return result.answer->ok ? "is older than node " + std::to_string(node_major_min)
                             : result.answer->error;
  }
  if (result.error) return *result.error;
  return "ended with code " + std::to_string(result.exit_code) + " and without an answer";
}

}  // namespace

asio::awaitable<void> TrialListener::output(OutputStream stream, std::string_view bytes) {
  constexpr std::size_t complaint_size_max = 400;
  if (stream != OutputStream::standard_error) co_return;
  complaint += bytes.substr(0, complaint_size_max - complaint.size());
}

std::optional<ModuleRuntime> described_runtime(const std::string& path,
                                               const ModuleAnswer& answer) {
  const auto said = nlohmann::json::parse(answer.result_json, nullptr, false);
  if (!answer.ok || !said.is_object()) return std::nullopt;
  ModuleRuntime runtime;
  runtime.path = path;
  if (const auto bun = said.find("bun"); bun != said.end() && bun->is_string()) {
    runtime.kind = RuntimeKind::bun;
    runtime.version = bun->get<std::string>();
    return runtime;
  }
  const auto node = said.find("node");
  if (node == said.end() || !node->is_string()) return std::nullopt;
  runtime.version = node->get<std::string>();
  int major = 0;
  std::from_chars(runtime.version.data(), runtime.version.data() + runtime.version.size(), major);
  const auto removes = said.find("removesTypes");
  runtime.removes_types = removes != said.end() && *removes == true;
  if (major < node_major_min) return std::nullopt;
  return runtime;
}

/// While it exists others wait; they are woken however the search ends.
class ModuleRuntimes::Searching {
 public:
  explicit Searching(ModuleRuntimes& owner) : owner_(owner) { owner_.searching_ = true; }
  ~Searching() {
    owner_.searching_ = false;
    owner_.searched_.cancel();
  }
  Searching(const Searching&) = delete;
  Searching& operator=(const Searching&) = delete;

 private:
  ModuleRuntimes& owner_;
};

ModuleRuntimes::ModuleRuntimes(asio::io_context& context, std::string setting, TryOne try_one)
    : context_(context),
      setting_(std::move(setting)),
      try_one_(std::move(try_one)),
      searched_(context, asio::steady_timer::time_point::max()) {}

std::vector<ModuleRuntime> ModuleRuntimes::candidates() const {
  std::vector<std::string> names;
  if (setting_ == "auto") {
    names = {find_program("bun"), find_program("node")};
  } else if (setting_ != "none") {
    names = {setting_};
  }
  std::vector<ModuleRuntime> found;
  for (const auto& name : names) {
    if (name.empty()) continue;
    ModuleRuntime candidate;
    candidate.kind = kind_of(name);
    candidate.path = real_path(name);
    if (!candidate.path.empty()) found.push_back(std::move(candidate));
  }
  return found;
}

bool ModuleRuntimes::is_current() const {
  if (found_) return stamp_of(found_->path) == stamp_;
  return !problem_.empty() && std::chrono::steady_clock::now() - tried_at_ < retry_after;
}

asio::awaitable<void> ModuleRuntimes::search() {
  const Searching searching(*this);
  found_.reset();
  problem_.clear();
  for (const ModuleRuntime& candidate : candidates()) {
    const std::string stamp = stamp_of(candidate.path);
    auto trying = try_one_(trial_request(), candidate);
    const auto result = co_await std::move(trying);
    auto runtime = result.answer ? described_runtime(candidate.path, *result.answer) : std::nullopt;
    if (runtime) {
      found_ = std::move(runtime);
      stamp_ = stamp;
      co_return;
    }
    problem_ += (problem_.empty() ? "" : "; ") + candidate.path + ": " + problem_of(result);
  }
  tried_at_ = std::chrono::steady_clock::now();
  if (problem_.empty()) problem_ = reason_against().value_or("no program was found");
}

asio::awaitable<Result<ModuleRuntime>> ModuleRuntimes::find() {
  constexpr auto token = asio::as_tuple(asio::use_awaitable);
  while (searching_) {
    co_await searched_.async_wait(token);
  }
  if (!is_current()) {
    auto searching = search();
    co_await std::move(searching);
  }
  if (found_) co_return *found_;
  co_return Error{ErrorCode::unsupported, "no JavaScript runtime: " + problem_};
}

std::optional<std::string> ModuleRuntimes::reason_against() const {
  if (setting_ == "none") return "sandbox.module_runtime is none on this satellite";
  if (!candidates().empty()) return std::nullopt;
  if (setting_ != "auto")
    return "sandbox.module_runtime names " + setting_ + ", which is not there";
  return std::string("neither bun nor node is on the satellite's PATH; ") + remedy;
}

}  // namespace satellite::sandbox
