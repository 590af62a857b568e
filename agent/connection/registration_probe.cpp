#include "agent/connection/registration_probe.hpp"

#include <algorithm>

namespace satellite::agent {

namespace {

// One answer may be slow; a core that owes two has lost the registration.
constexpr unsigned unanswered_max = 2;

}  // namespace

RegistrationProbe::Step RegistrationProbe::ask(Time now) {
  awaits_ = true;
  asked_ = now;
  next_ = now + std::min(settings_.answer_within, settings_.ask_every);
  return Step::ask;
}

void RegistrationProbe::answered() {
  awaits_ = false;
  core_answers_ = answered_here_ = true;
  unanswered_ = 0;
  pause_ = settings_.ask_every;
  next_ = asked_ + settings_.ask_every;
}

RegistrationProbe::Step RegistrationProbe::step(Time now) {
  if (now < next_) return Step::wait;
  if (!awaits_) return ask(now);
  ++unanswered_;
  if (core_answers_) return unanswered_ < unanswered_max ? ask(now) : Step::reconnect;
  awaits_ = false;
  next_ = asked_ + pause_;
  pause_ = std::min(2 * pause_, std::max(settings_.ask_seldom, settings_.ask_every));
  return Step::wait;
}

}  // namespace satellite::agent
