#include "tests/benchmarks/figures.hpp"

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>

namespace satellite::benchmarks {

double median(Samples samples) {
  if (samples.empty()) return 0;
  std::sort(samples.begin(), samples.end());
  const std::size_t middle = samples.size() / 2;
  return samples.size() % 2 == 1 ? samples[middle] : (samples[middle - 1] + samples[middle]) / 2;
}

double percentile_99(Samples samples) {
  if (samples.empty()) return 0;
  std::sort(samples.begin(), samples.end());
  return samples[(samples.size() * 99 - 1) / 100];
}

void print_table(const std::vector<Figure>& figures) {
  std::printf("%-24s %14s %-7s %8s   %-16s %s\n", "key", "value", "unit", "x bare", "mark", "what");
  for (const Figure& figure : figures) {
    const std::string ratio =
        figure.ratio ? std::to_string(*figure.ratio).substr(0, 5) : std::string("-");
    std::printf("%-24s %14.2f %-7s %8s   %-16s %s\n", figure.key.c_str(), figure.value,
                figure.unit.c_str(), ratio.c_str(), figure.mark.c_str(), figure.what.c_str());
  }
}

bool write_json(const std::vector<Figure>& figures, const std::string& path) {
  nlohmann::ordered_json answer;
  for (const Figure& figure : figures) {
    answer[figure.key] = {{"value", figure.value}, {"unit", figure.unit}};
    if (figure.ratio) answer[figure.key]["ratio"] = *figure.ratio;
  }
  std::ofstream file(path);
  file << answer.dump(2) << '\n';
  return file.good();
}

}  // namespace satellite::benchmarks
