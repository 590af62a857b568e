#include "agent/packages/packages_of_run.hpp"

#include <chrono>
#include <memory>
#include <utility>

namespace satellite::agent {

namespace asio = boost::asio;

asio::awaitable<Result<void>> add_packages(ScriptPackages& packages, sandbox::RunRequest& request,
                                           const sandbox::CancelSwitch& cancel) {
  if (request.language != sandbox::Language::module) co_return Result<void>();
  const auto until = std::chrono::steady_clock::now() + request.timeout;
  auto lease = co_await packages.take(request.script, until, cancel);
  if (!lease) co_return lease.error();
  if (!lease->directory()) co_return Result<void>();
  std::string directory = *lease->directory();
  // Shared with the prepared runs that have the tree mounted.
  auto in_use = std::make_shared<const PackageLease>(*std::move(lease));
  request.module.packages = sandbox::PackageTree{std::move(directory), std::move(in_use)};
  co_return Result<void>();
}

sandbox::RunResult result_without_packages(const Error& error, const sandbox::Policy& policy) {
  sandbox::RunResult result;
  result.outcome = error.code == ErrorCode::cancelled ? sandbox::Outcome::cancelled
                                                      : sandbox::Outcome::setup_failed;
  result.error = error.message;
  result.is_module = true;
  result.started_at = std::chrono::system_clock::now();
  result.sandbox.requested = policy;
  return result;
}

}  // namespace satellite::agent
