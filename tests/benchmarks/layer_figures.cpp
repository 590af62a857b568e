#include "tests/benchmarks/layer_figures.hpp"

#include "tests/benchmarks/reference_process.hpp"
#include "tests/benchmarks/sandbox_process.hpp"

#include <array>

namespace satellite::benchmarks {
namespace {

constexpr int layer_rounds = 8;
constexpr int runs_per_layer_round = 40;

struct Variant {
  Without without;
  const char* key;
  const char* what;
  Samples samples{};
};

Figure of_which(const char* key, const char* what, double microseconds, double bare) {
  return {key, what, microseconds, "us", microseconds / bare, ""};
}

}  // namespace

std::vector<Figure> measure_layers() {
  ReferenceProcess reference;
  SandboxProcess sandbox;
  const std::vector<std::string> bare_command{"sh", "-c", "echo hi"};
  Samples bare, whole, set_up, warm, warm_set_up;
  std::array<Variant, 3> variants{
      Variant{Without::network, "layer_network", "of a native run: its own network"},
      Variant{Without::filesystem, "layer_filesystem", "of a native run: its own root and mounts"},
      Variant{Without::both, "layer_base", "what is left: launcher, identity, limits, the script"}};
  const auto append = [](Samples& to, const Samples& from) {
    to.insert(to.end(), from.begin(), from.end());
  };
  for (int round = 0; round < layer_rounds; ++round) {
    append(bare, reference.measure(bare_command, runs_per_layer_round, 1).latencies);
    append(whole, sandbox.measure({.runs = runs_per_layer_round}).latencies);
    append(set_up, sandbox.measure({.set_up = true, .runs = runs_per_layer_round}).latencies);
    append(warm, sandbox.measure({.prepared = true, .runs = runs_per_layer_round}).latencies);
    append(warm_set_up,
           sandbox.measure({.prepared = true, .set_up = true, .runs = runs_per_layer_round})
               .latencies);
    for (Variant& variant : variants) {
      append(variant.samples,
             sandbox.measure({.without = variant.without, .runs = runs_per_layer_round}).latencies);
    }
  }
  const double unit = median(bare), all = median(whole);
  std::vector<Figure> figures{
      of_which("layers", "a native run with every layer", all, unit),
      of_which("layers_set_up", "of which until the script may start", median(set_up), unit),
      of_which("layers_script", "of which the script and its end", all - median(set_up), unit),
      of_which("layers_warm", "the same from a run that stood ready", median(warm), unit),
      of_which("layers_warm_set_up", "of which until the script may start", median(warm_set_up),
               unit)};
  for (const Variant& variant : variants) {
    const double taken = median(variant.samples);
    figures.push_back(of_which(variant.key, variant.what,
                               variant.without == Without::both ? taken : all - taken, unit));
  }
  return figures;
}

}  // namespace satellite::benchmarks
