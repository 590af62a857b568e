#include "sandbox/launcher/wire/order_codec.hpp"
#include "sandbox/launcher/wire/records.hpp"
#include "tests/fuzz/promises.hpp"
#include "tests/fuzz/targets.hpp"

namespace satellite::fuzz {

using namespace satellite::sandbox;

Broken check_launcher_order_target(std::string_view input) {
  const auto order = decode_order(input);
  if (!order) return unless_fit_for_log(order.error());
  if (order->command.empty()) return "an order without a command";
  if (encode_order(*order) != input) return "one order has two forms";
  if (input.find(encode_setup(*order)) == std::string_view::npos) return "a set-up that never was";
  return std::nullopt;
}

Broken check_launcher_record_target(std::string_view input) {
  if (const auto record = decode_record(input)) {
    if (encode_record(*record) != input) return "one record has two forms";
    if (decode_request(input)) return "a record that is a request, too";
  }
  if (const auto request = decode_request(input); request && encode_request(*request) != input) {
    return "one request has two forms";
  }
  return std::nullopt;
}

}  // namespace satellite::fuzz
