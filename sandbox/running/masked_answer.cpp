#include "sandbox/running/masked_answer.hpp"

#include "sandbox/capture/masker.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

namespace satellite::sandbox {

namespace asio = boost::asio;

namespace {

using Json = nlohmann::ordered_json;

// Of a turn, as for output: some milliseconds at most.
constexpr std::size_t masking_steps_per_turn = 1U << 20U;
constexpr std::size_t masked_bytes_per_turn = 256U << 10U;

/// Every key and every text, in the order in which they stand.
void collect_texts(const Json& value, std::vector<std::string>& texts) {
  if (value.is_string()) texts.push_back(value.get<std::string>());
  if (!value.is_structured()) return;
  for (const auto& [key, member] : value.items()) {
    if (value.is_object()) texts.push_back(key);
    collect_texts(member, texts);
  }
}

/// The same value with other keys and texts.
Json rebuilt(const Json& value, std::vector<std::string>::iterator& next) {
  if (value.is_string()) return *next++;
  if (!value.is_structured()) return value;
  Json built = value.is_object() ? Json::object() : Json::array();
  for (const auto& [key, member] : value.items()) {
    if (value.is_object()) {
      std::string own = std::move(*next++);
      built[std::move(own)] = rebuilt(member, next);
    } else {
      built.push_back(rebuilt(member, next));
    }
  }
  return built;
}

void remove_folder(std::string& text, const std::string& folder) {
  for (const std::string& part : {"file://" + folder + "/", folder + "/"}) {
    for (auto at = text.find(part); at != text.npos; at = text.find(part, at)) {
      text.erase(at, part.size());
    }
  }
}

asio::awaitable<std::string> masked_text(asio::io_context& context, const SecretPatterns& secrets,
                                         std::string text) {
  Masker masker(secrets, masking_steps_per_turn);
  std::string masked(masker.feed(text));
  while (masker.paused()) {
    co_await asio::post(context, asio::use_awaitable);
    masker.begin_turn();
    masked += masker.feed({});
  }
  masked += masker.finish();
  while (masker.paused()) {
    co_await asio::post(context, asio::use_awaitable);
    masker.begin_turn();
    masked += masker.finish();
  }
  co_return masked;
}

}  // namespace

void shorten_paths(ModuleAnswer& answer, const std::string& folder) {
  if (folder.empty()) return;
  remove_folder(answer.error, folder);
  if (answer.stack) remove_folder(*answer.stack, folder);
}

asio::awaitable<ModuleAnswer> masked_answer(asio::io_context& context,
                                            const SecretPatterns& secrets, ModuleAnswer answer) {
  if (secrets.empty()) co_return answer;
  auto error = co_await masked_text(context, secrets, std::move(answer.error));
  answer.error = std::move(error);
  if (answer.stack) {
    auto stack = co_await masked_text(context, secrets, *std::move(answer.stack));
    answer.stack = std::move(stack);
  }
  const Json result = Json::parse(answer.result_json, nullptr, false);
  std::vector<std::string> texts;
  collect_texts(result, texts);
  std::size_t done = 0;
  for (std::string& text : texts) {
    done += text.size();
    auto masked = co_await masked_text(context, secrets, std::move(text));
    text = std::move(masked);
    if (done < masked_bytes_per_turn) continue;
    done = 0;
    co_await asio::post(context, asio::use_awaitable);
  }
  auto next = texts.begin();
  answer.result_json = rebuilt(result, next).dump();
  co_return answer;
}

}  // namespace satellite::sandbox
