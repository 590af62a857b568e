#include "sandbox/launcher/wire/order_sense.hpp"

#include <string>

namespace satellite::sandbox {

Error not_an_order(const char* why) {
  return Error{ErrorCode::invalid_input, std::string("not a launch order: ") + why};
}

Result<void> make_sense(const LaunchOrder& order) {
  if (order.command.empty() || order.command.front().empty()) return not_an_order("no command");
  const bool wrapped = order.engine == Engine::bwrap || order.engine == Engine::nsjail;
  const bool native = order.engine == Engine::native;
  if (native != order.native.has_value()) return not_an_order("file steps and engine disagree");
  if (order.identity_is_own && !order.identity) return not_an_order("an own identity is missing");
  const bool has_other_init = order.init_uid != 0;
  if (has_other_init && (!order.identity_is_own || order.init_uid == order.identity->uid ||
                         order.init_uid > id_max || !order.expectation.shows_processes)) {
    return not_an_order("its init cannot have that user");
  }
  if (wrapped == order.wrapper.empty()) return not_an_order("wrapper and engine disagree");
  if (!wrapped && !order.wrapper_files.empty()) return not_an_order("files without a wrapper");
  if (wrapped && !order.wrapper.front().starts_with('/')) {
    return not_an_order("the wrapper is not an absolute path");
  }
  if (order.is_module && order.long_script) return not_an_order("a module has no long script");
  if ((order.state_bytes > 0 || order.network) && order.engine == Engine::none) {
    return not_an_order("a state or a network of its own needs an engine");
  }
  return {};
}

}  // namespace satellite::sandbox
