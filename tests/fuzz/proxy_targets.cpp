#include "agent/connection/proxy_answer.hpp"
#include "agent/connection/proxy_bypass.hpp"
#include "agent/connection/proxy_choice.hpp"
#include "tests/fuzz/promises.hpp"
#include "tests/fuzz/targets.hpp"

namespace satellite::fuzz {
namespace {

using namespace satellite::agent;

Broken check_url_of_proxy(std::string_view url) {
  const auto proxy = parse_proxy_url(url);
  if (!proxy) return unless_fit_for_log(proxy.error(), 512);
  const auto is_plain = [](char c) { return c > ' ' && c <= '~'; };
  if (!std::all_of(proxy->url.begin(), proxy->url.end(), is_plain)) return "an odd URL";
  if (proxy->place.host.find_first_of("@/?#[]") != std::string::npos) return "an odd host";
  const auto again = parse_proxy_url(proxy->url);
  if (!again || again->url != proxy->url) return "a URL written again is another one";
  return std::nullopt;
}

}  // namespace

Broken check_proxy_answer_target(std::string_view input) {
  const auto whole = parse_proxy_answer(input);
  if (!whole) {
    // What nobody can mend any more stays wrong.
    const auto more = parse_proxy_answer(std::string(input) + "more");
    if (more && !input.empty()) return "a wrong answer became right";
    return unless_fit_for_log(whole.error());
  }
  if (!*whole) return std::nullopt;
  const ProxyAnswer& answer = **whole;
  if (answer.status < 100 || answer.status > 999) return "a status that is none";
  if (answer.reason.size() + answer.schemes.size() + answer.retry_after.size() > 1'024) {
    return "texts of a proxy without bounds";
  }
  const auto part = parse_proxy_answer(input.substr(0, input.size() / 2));
  if (!part) return "an answer that was wrong became right";
  const Error refusal = proxy_refusal(answer, {{"core.example.org", 443}, "a file"});
  // The text of the proxy is escaped where it is printed; here it only has to have an end.
  return refusal.message.size() > 1'024 ? Broken("an error without bounds") : std::nullopt;
}

Broken check_proxy_choice_target(std::string_view input) {
  const auto [url, list] = divided(input);
  if (const auto broken = check_url_of_proxy(url)) return broken;
  const HostAndPort by_name{"core.example.org", 443}, by_address{"192.0.2.7", 443};
  for (const HostAndPort& wanted : {by_name, by_address}) {
    const auto entry = bypassed_by(list, wanted);
    if (entry && list.find(*entry) == std::string_view::npos) return "an entry nobody wrote";
    if (entry && bypassed_by(*entry, wanted) != entry) return "an entry that is another alone";
  }
  if (unknown_bypass_entries(list).size() > 257) return "a list without bounds";
  static const CoreAddress core = *parse_core_url("https://core.example.org");
  ProxySettings settings;
  settings.url = url;
  settings.url_source = settings.bypass_source = "option";
  settings.bypass = list;
  const auto choice = choose_proxy(settings, core);
  return choice ? std::nullopt : unless_fit_for_log(choice.error(), 4'096);
}

}  // namespace satellite::fuzz
