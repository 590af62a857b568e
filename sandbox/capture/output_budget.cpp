#include "sandbox/capture/output_budget.hpp"

#include "protocol/vocabulary/utf8.hpp"

namespace satellite::sandbox {

std::string_view OutputBudget::admit(OutputStream stream, std::string_view bytes) {
  if (closed_) {
    dropped_ += ByteCount{bytes.size()};
    return {};
  }
  std::string_view admitted = bytes;
  if (size_max_) {
    const ByteCount left = *size_max_ - (delivered_[0] + delivered_[1]);
    if (bytes.size() > left.value) {
      closed_ = true;
      admitted = cut_on_code_point(bytes, static_cast<std::size_t>(left.value));
    }
  }
  delivered_[index_of(stream)] += ByteCount{admitted.size()};
  dropped_ += ByteCount{bytes.size() - admitted.size()};
  return admitted;
}

void OutputBudget::take_back(OutputStream stream, ByteCount count) {
  delivered_[index_of(stream)] -= count;
  dropped_ += count;
}

}  // namespace satellite::sandbox
