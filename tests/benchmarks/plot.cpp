#include "tests/benchmarks/plot.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace satellite::benchmarks {
namespace {

constexpr double left = 160, width = 620, row_height = 46, top = 44;
constexpr int bins = 120;

/// Positions on a logarithmic axis.
class Axis {
 public:
  explicit Axis(const std::vector<Distribution>& all) {
    double lowest = 1e12, highest = 1;
    for (const auto& one : all) {
      for (const double value : one.samples) {
        lowest = std::min(lowest, value);
        highest = std::max(highest, value);
      }
    }
    low_ = std::log10(lowest) - 0.02;
    high_ = std::log10(std::max(highest, 2 * lowest)) + 0.02;
  }
  double x(double value) const { return left + width * part(value); }
  int bin(double value) const {
    return std::clamp(static_cast<int>(part(value) * bins), 0, bins - 1);
  }
  /// 1, 2 and 5 times each power of ten.
  std::vector<double> marks() const {
    std::vector<double> all;
    for (double decade = std::pow(10, std::floor(low_)); decade < std::pow(10, high_);
         decade *= 10) {
      for (const double step : {1.0, 2.0, 5.0}) {
        const double value = decade * step;
        if (std::log10(value) >= low_ && std::log10(value) <= high_) all.push_back(value);
      }
    }
    return all;
  }

 private:
  double part(double value) const { return (std::log10(value) - low_) / (high_ - low_); }
  double low_ = 0, high_ = 1;
};

template <typename... Values>
std::string text(const char* format, Values... values) {
  char buffer[256];
  std::snprintf(buffer, sizeof(buffer), format, values...);
  return buffer;
}

std::string time_text(double microseconds) {
  if (microseconds < 1000) return text("%g \u00b5s", microseconds);
  return text("%g ms", microseconds / 1000);
}

std::string shape(const Axis& axis, const Samples& samples, double base) {
  std::vector<double> counts(bins, 0);
  for (const double value : samples) ++counts[static_cast<std::size_t>(axis.bin(value))];
  const double most = *std::max_element(counts.begin(), counts.end());
  std::string path = text("M%.1f %.1f", left, base);
  for (int i = 0; i < bins; ++i) {
    const double height = counts[static_cast<std::size_t>(i)] / most * (row_height - 18);
    path += text("V%.1fH%.1f", base - height, left + width * (i + 1) / bins);
  }
  return "<path class='shape' d='" + path + text("V%.1fZ'/>", base);
}

std::string row(const Axis& axis, const Distribution& one, double unit, double base) {
  const double middle = median(one.samples), late = percentile_99(one.samples);
  std::string out = shape(axis, one.samples, base);
  out += text("<text x='%.0f' y='%.1f' text-anchor='end'>", left - 12, base - 12) + one.name +
         "</text>";
  out += text("<text class='small' x='%.0f' y='%.1f' text-anchor='end'>%.2f x, p99 %.2f x</text>",
              left - 12, base + 1, middle / unit, late / unit);
  out += text("<path class='middle' d='M%.1f %.1fV%.1f'/>", axis.x(middle), base + 3,
              base - row_height + 16);
  return out + text("<path class='late' d='M%.1f %.1fV%.1f'/>", axis.x(late), base + 3, base - 10);
}

constexpr const char* style =
    "<style>text{font:13px sans-serif;fill:#222}.small{font-size:11px;fill:#666}"
    ".grid{stroke:#ddd}.shape{fill:#7aa6d8}.middle{stroke:#123f77;stroke-width:2}"
    ".late{stroke:#b04a2f;stroke-width:2}.ground{fill:#fff}"
    "@media(prefers-color-scheme:dark){text{fill:#ddd}.small{fill:#999}.grid{stroke:#444}"
    ".ground{fill:#1b1b1b}.shape{fill:#46688f}.middle{stroke:#bcd8ff}.late{stroke:#ff9d80}}</"
    "style>";

}  // namespace

std::string plot(const std::vector<Distribution>& distributions) {
  if (distributions.empty() || distributions.front().samples.empty()) return {};
  const Axis axis(distributions);
  const double unit = median(distributions.front().samples);
  const double bottom = top + row_height * static_cast<double>(distributions.size());
  std::string out = text("<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 %.0f %.0f'>",
                         left + width + 24, bottom + 34);
  out += style;
  out += "<rect class='ground' width='100%' height='100%'/>";
  out += text(
      "<text x='%.0f' y='22'>From request to result, one run at a time; x: as many times "
      "the bare spawn</text>",
      left);
  for (const double value : axis.marks()) {
    out += text("<path class='grid' d='M%.1f %.1fV%.1f'/>", axis.x(value), top - 8, bottom + 6);
    out += text("<text class='small' x='%.1f' y='%.1f' text-anchor='middle'>", axis.x(value),
                bottom + 20) +
           time_text(value) + "</text>";
  }
  double base = top + row_height - 8;
  for (const auto& one : distributions) {
    if (!one.samples.empty()) out += row(axis, one, unit, base);
    base += row_height;
  }
  return out + "</svg>\n";
}

}  // namespace satellite::benchmarks
