#include "agent/link/route_probe.hpp"

#include <algorithm>

namespace satellite::agent {

RouteProbe::Step RouteProbe::step(Time now) {
  if (now < next_) return Step::wait;
  if (!awaits_) {
    if (core_answers_ && now < asked_ + settings_.ask_every) {
      next_ = asked_ + settings_.ask_every;
      return Step::wait;
    }
    awaits_ = true;
    asked_ = now;
    next_ = now + std::min(settings_.answer_within, settings_.ask_every);
    return Step::ask;
  }
  return core_answers_ ? Step::reconnect : Step::give_up;
}

}  // namespace satellite::agent
