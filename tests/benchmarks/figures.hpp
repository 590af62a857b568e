#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace satellite::benchmarks {

/// Durations of single runs, in microseconds.
using Samples = std::vector<double>;

double median(Samples samples);
double percentile_99(Samples samples);

/// One line of the table and one key of the JSON file.
struct Figure {
  std::string key;
  std::string what;
  double value = 0;
  std::string unit;
  std::optional<double> ratio;  ///< to the bare spawn of the same run
  std::string mark;             ///< what it should be, for the reader
};

void print_table(const std::vector<Figure>& figures);
/// key -> {value, unit, ratio?}. False if the file cannot be written.
bool write_json(const std::vector<Figure>& figures, const std::string& path);

}  // namespace satellite::benchmarks
