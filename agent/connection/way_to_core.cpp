// The steps are those of a connection, and their errors its errors: what is told here is what the
// service would log.
#include "agent/connection/way_to_core.hpp"

#include "protocol/decode.hpp"
#include "protocol/encode.hpp"
#include "protocol/vocabulary/limits.hpp"

#include <algorithm>
#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cstdlib>

namespace satellite::agent {

const char* const refused_token_remedy =
    "compare id and token with what the core shows; have it issue a new token";

namespace asio = boost::asio;
using namespace asio::experimental::awaitable_operators;

namespace {

constexpr std::chrono::hours day{24};
constexpr int certificate_days_min = 14;
// Beyond it certificates and dates of results begin to be wrong for somebody.
constexpr std::chrono::seconds clock_skew_max{60};

struct StageWords {
  ConnectStage stage;
  const char* remedy;
};
constexpr std::array stages{
    StageWords{ConnectStage::trust, "correct the file, or the setting of [tls] that names it"},
    StageWords{ConnectStage::dns,
               "check the name in core, and the name servers of this host (/etc/resolv.conf)"},
    StageWords{ConnectStage::tcp,
               "check host and port in core, and that firewalls let this host out to them"},
    StageWords{ConnectStage::proxy, "check the section [proxy], and what the proxy logs"},
    StageWords{ConnectStage::tls, "check host and port in core, and the section [tls]"},
    StageWords{ConnectStage::upgrade,
               "check the path in core, and what stands before the core: it has to let WebSockets "
               "through"}};

/// Behind a proxy name and address are those of the proxy.
const char* remedy_of(const StageWords& words, const WayTrial& trial) {
  if (trial.facts.proxy.empty()) return words.remedy;
  if (words.stage == ConnectStage::dns) {
    return "check the name in proxy.url, and the name servers of this host (/etc/resolv.conf)";
  }
  if (words.stage == ConnectStage::tcp) {
    return "check host and port in proxy.url, and that firewalls let this host out to them";
  }
  return words.remedy;
}

/// `cause; remedy`, as our errors have it; the stage's own remedy where there is none.
void take_error(WayStep& step, const Error& error, const char* remedy) {
  step.state = WayStep::State::failed;
  const std::size_t divider = error.message.rfind("; ");
  step.detail = error.message.substr(0, divider);
  step.remedy =
      divider == std::string::npos ? std::string(remedy) : error.message.substr(divider + 2);
}

std::string tls_detail(const LinkFacts& facts, std::chrono::system_clock::time_point now) {
  std::string text = facts.tls_version + ", " + facts.cipher;
  if (!facts.certificate_ends) return text;
  return text + ", certificate valid for " + std::to_string((*facts.certificate_ends - now) / day) +
         " more days";
}

void describe_done(WayStep& step, ConnectStage stage, const WayTrial& trial,
                   std::chrono::system_clock::time_point now) {
  step.state = WayStep::State::done;
  const LinkFacts& facts = trial.facts;
  if (stage == ConnectStage::tcp) step.detail = facts.peer;
  if (stage == ConnectStage::proxy) step.detail = facts.proxy;
  if (stage != ConnectStage::tls) return;
  step.detail = tls_detail(facts, now);
  if (facts.certificate_ends && *facts.certificate_ends - now < certificate_days_min * day) {
    step.remedy = "have the core's certificate renewed";
  }
}

bool takes_part(ConnectStage stage, const WayTrial& trial, const CoreAddress& core) {
  if (stage == ConnectStage::proxy) return !trial.facts.proxy.empty();
  const bool is_tls = stage == ConnectStage::tls || stage == ConnectStage::trust;
  return !is_tls || core.transport == Transport::tls;
}

WayStep clock_step(const WayTrial& trial) {
  WayStep step{"clock", WayStep::State::not_tried, {}, {}};
  if (!trial.failure) step.detail = "the core did not tell its time";
  if (!trial.facts.clock_ahead) return step;
  const auto ahead = *trial.facts.clock_ahead;
  const auto size = std::chrono::seconds(std::abs(ahead.count()));
  step.state = size > clock_skew_max ? WayStep::State::failed : WayStep::State::done;
  step.detail = "within a minute of the core's clock";
  if (step.state == WayStep::State::done) return step;
  step.detail = std::to_string(size.count()) + " seconds " +
                (ahead.count() > 0 ? "ahead of" : "behind") + " the core's clock";
  step.remedy = "set the clock of this host, or of the core: timedatectl set-ntp true";
  return step;
}

WayStep token_step(const WayTrial& trial) {
  WayStep step{"token", WayStep::State::not_tried, "not shown to the core", {}};
  if (!trial.token) return step;
  const bool is_known = trial.token->kind == TokenAnswer::Kind::known;
  step.state = is_known ? WayStep::State::done : WayStep::State::failed;
  step.detail = is_known ? "the core knows id and token" : trial.token->why;
  if (is_known) return step;
  step.remedy = trial.token->kind == TokenAnswer::Kind::refused
                    ? refused_token_remedy
                    : "try again, and look at what the core logs";
  return step;
}

asio::awaitable<TokenAnswer> ask_about_token(WebSocketLink& link, WayCredentials credentials) {
  std::string frame = protocol::encode(protocol::Authenticate{
      credentials.client_id, std::move(credentials.token), credentials.capabilities});
  const auto written = co_await link.write_and_wipe(std::move(frame));
  if (!written) co_return TokenAnswer{TokenAnswer::Kind::missing, written.error().message};
  while (true) {
    const auto answer = co_await link.read();
    if (!answer) co_return TokenAnswer{TokenAnswer::Kind::missing, answer.error().message};
    const auto message = protocol::decode(*answer, limits::frame_after_authentication);
    if (!message) continue;
    if (std::holds_alternative<protocol::Authenticated>(*message))
      co_return TokenAnswer{TokenAnswer::Kind::known, {}};
    if (const auto* refused = std::get_if<protocol::AuthFailed>(&*message)) {
      co_return TokenAnswer{TokenAnswer::Kind::refused,
                            "the core refused id or token: " + refused->reason};
    }
  }
}

}  // namespace

asio::awaitable<WayTrial> try_way(CoreAddress core, LinkSettings settings,
                                  std::optional<WayCredentials> credentials,
                                  std::chrono::steady_clock::time_point deadline) {
  auto attempt = co_await connect_websocket(std::move(core), std::move(settings), deadline);
  WayTrial trial;
  trial.stage = attempt.stage;
  trial.facts = attempt.facts;
  if (!attempt.link) {
    trial.failure = attempt.link.error();
    co_return trial;
  }
  const auto link = *std::move(attempt.link);
  if (credentials) {
    const auto executor = co_await asio::this_coro::executor;
    asio::steady_timer timer(executor, deadline);
    auto asking = ask_about_token(*link, *std::move(credentials));
    auto waiting = timer.async_wait(asio::use_awaitable);
    const auto first = co_await (std::move(asking) || std::move(waiting));
    trial.token = first.index() == 0
                      ? std::get<0>(first)
                      : TokenAnswer{TokenAnswer::Kind::missing, "the core did not answer in time"};
  }
  const std::string reason = "trial";
  co_await link->close(CloseCode::normal, reason);
  co_return trial;
}

std::vector<WayStep> steps_of(const WayTrial& trial, const CoreAddress& core,
                              std::chrono::system_clock::time_point now) {
  std::vector<WayStep> steps;
  bool is_over = !trial.has_begun;
  for (const StageWords& words : stages) {
    const bool is_failed = trial.failure && trial.stage == words.stage;
    if (!is_failed && !takes_part(words.stage, trial, core)) continue;
    WayStep step{std::string(name_of(words.stage)), WayStep::State::not_tried, {}, {}};
    if (is_failed) {
      take_error(step, *trial.failure, remedy_of(words, trial));
      is_over = true;
    } else if (!is_over) {
      describe_done(step, words.stage, trial, now);
    }
    steps.push_back(std::move(step));
  }
  steps.push_back(clock_step(trial));
  steps.push_back(token_step(trial));
  return steps;
}

bool leads_there(const std::vector<WayStep>& steps) {
  return std::none_of(steps.begin(), steps.end(),
                      [](const WayStep& step) { return step.state == WayStep::State::failed; });
}

}  // namespace satellite::agent
