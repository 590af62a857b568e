#include "sandbox/probing/probe.hpp"

#include "sandbox/launcher/client/launcher_link.hpp"
#include "sandbox/probing/egress.hpp"
#include "sandbox/probing/probing.hpp"

#include <boost/asio/co_spawn.hpp>
#include <exception>

namespace satellite::sandbox {

namespace asio = boost::asio;

asio::awaitable<HostFacts> probe_host(asio::io_context& context, Launcher& launcher,
                                      ProbeSettings settings) {
  HostFacts facts;
  facts.euid_is_root = launcher.is_root();
  facts.has_prlimit = !find_program("prlimit").empty();
  facts.rlimit_native = facts.has_prlimit;
  const Probing probing{context, launcher,         identity_of_trials(launcher, settings),
                        facts,   settings.engines, settings.tries_every_engine};
  co_await probe_launcher(probing);
  co_await probe_cgroup(probing);
  co_await probe_native(probing);
  co_await probe_wrapper(probing);
  leave_egress_untried(facts);
  if (settings.tries_egress) {
    co_await probe_egress(context, launcher, settings, facts);
  }
  co_return facts;
}

HostFacts probe_host_first(asio::io_context& context, Launcher& launcher, ProbeSettings settings) {
  HostFacts facts;
  std::exception_ptr failure;
  asio::co_spawn(context, probe_host(context, launcher, std::move(settings)),
                 [&](std::exception_ptr thrown, HostFacts found) {
                   failure = thrown;
                   facts = std::move(found);
                   context.stop();  // the launcher is listened to for as long as it lives
                 });
  context.run();
  context.restart();
  if (failure) std::rethrow_exception(failure);
  return facts;
}

HostFacts examine_host(asio::io_context& context, Launcher& launcher, ProbeSettings settings) {
  settings.tries_every_engine = true;
  HostFacts facts = probe_host_first(context, launcher, std::move(settings));
  probe_identity(facts);
  probe_seccomp(facts);
  probe_landlock(facts);
  probe_wrapper_programs(facts);
  probe_shell(facts);
  probe_javascript_runtimes(facts);
  return facts;
}

}  // namespace satellite::sandbox
