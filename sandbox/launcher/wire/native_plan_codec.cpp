#include "sandbox/launcher/wire/native_plan_codec.hpp"

#include <string>
#include <string_view>

namespace satellite::sandbox {
namespace {

constexpr std::uint32_t steps_max = 256;
constexpr std::size_t step_size_min = 3 * sizeof(std::uint32_t);

std::string read_path(ByteReader& in) {
  std::string text = in.text(path_size_max);
  if (text.find('\0') != std::string::npos) in.fail();
  return text;
}

bool climbs(std::string_view path) {
  while (!path.empty()) {
    const auto part = path.substr(0, path.find('/'));
    if (part == "..") return true;
    path.remove_prefix(std::min(path.size(), part.size() + 1));
  }
  return false;
}

FileStep read_step(ByteReader& in) {
  FileStep step;
  const auto kind = in.number<std::uint32_t>();
  if (kind > static_cast<std::uint32_t>(FileStepKind::last)) in.fail();
  step.kind = static_cast<FileStepKind>(kind);
  step.target = read_path(in);
  step.source = read_path(in);
  if (step.target.empty() || step.target.front() == '/' || climbs(step.target)) in.fail();
  step.size = in.number<std::uint64_t>();
  step.mode = in.number<std::uint32_t>();
  step.optional = in.flag();
  step.writable = in.flag();
  return step;
}

}  // namespace

void write_native_plan(ByteWriter& out, const std::optional<NativePlan>& plan) {
  out.number(static_cast<std::uint8_t>(plan.has_value()));
  if (!plan) return;
  out.number(static_cast<std::uint8_t>(plan->confined));
  out.number(static_cast<std::uint8_t>(plan->own_network));
  out.number(static_cast<std::uint8_t>(plan->root_owned));
  out.number(static_cast<std::uint32_t>(plan->steps.size()));
  for (const auto& step : plan->steps) {
    out.number(static_cast<std::uint32_t>(step.kind));
    out.text(step.target);
    out.text(step.source);
    out.number(step.size);
    out.number(step.mode);
    out.number(static_cast<std::uint8_t>(step.optional));
    out.number(static_cast<std::uint8_t>(step.writable));
  }
}

std::optional<NativePlan> read_native_plan(ByteReader& in) {
  if (!in.flag()) return std::nullopt;
  NativePlan plan;
  plan.confined = in.flag();
  plan.own_network = in.flag();
  plan.root_owned = in.flag();
  plan.steps.resize(in.count(steps_max, step_size_min));
  for (auto& step : plan.steps) step = read_step(in);
  return plan;
}

void write_fault(ByteWriter& out, const Fault& fault) {
  out.number(static_cast<std::uint32_t>(fault.step));
  out.number(fault.index);
  out.number(fault.error_number);
}

Fault read_fault(ByteReader& in) {
  Fault fault;
  const auto step = in.number<std::uint32_t>();
  if (step > static_cast<std::uint32_t>(SetupStep::last)) in.fail();
  fault.step = static_cast<SetupStep>(step);
  fault.index = in.number<std::int32_t>();
  fault.error_number = in.number<std::int32_t>();
  if (!fault.is_sound()) in.fail();
  return fault;
}

}  // namespace satellite::sandbox
