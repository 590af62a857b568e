#include "agent/packages/run_packages.hpp"

#include <chrono>
#include <memory>
#include <utility>

namespace satellite::agent {

boost::asio::awaitable<Result<void>> give_packages(ScriptPackages* packages,
                                                   sandbox::RunRequest& request,
                                                   const sandbox::CancelSwitch& cancel) {
  if (packages == nullptr || request.language != sandbox::Language::module) {
    co_return Result<void>();
  }
  const auto until = std::chrono::steady_clock::now() + request.timeout;
  auto lease = co_await packages->take(request.script, until, cancel);
  if (!lease) co_return lease.error();
  if (!lease->directory()) co_return Result<void>();
  // Shared, because the run hands it on to whatever it becomes: a plan, an order, a task.
  auto held = std::make_shared<const PackageLease>(*std::move(lease));
  request.module.packages = sandbox::PackageTree{*held->directory(), held};
  co_return Result<void>();
}

}  // namespace satellite::agent
