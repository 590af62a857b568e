#pragma once

#include "tests/benchmarks/figures.hpp"

#include <sys/types.h>
#include <string>

namespace satellite::benchmarks {

struct Timing {
  Samples latencies;
  double seconds = 0;        ///< of the whole batch
  std::vector<double> more;  ///< whatever else the measurement tells
};

/// A child that measures what it is told to and sends the times back.
///
/// Shape:  forked before the benchmark grew, since what is measured forks, and a fork costs what
///         its parent holds. It ends with us.
class MeasuringProcess {
 public:
  /// Answers one order; the text is one number per run, in microseconds, and the seconds of all;
  /// what else there is follows behind a `|`.
  class Measurement {
   public:
    virtual ~Measurement() = default;
    virtual std::string answer(const std::string& order) = 0;
  };
  /// `begin` runs in the child; nullptr = it cannot measure here.
  using Begin = Measurement* (*)();

  explicit MeasuringProcess(Begin begin);
  ~MeasuringProcess();
  MeasuringProcess(const MeasuringProcess&) = delete;
  MeasuringProcess& operator=(const MeasuringProcess&) = delete;

  Timing ask(const std::string& order);

 private:
  pid_t pid_ = -1;
  int socket_ = -1;
};

}  // namespace satellite::benchmarks
