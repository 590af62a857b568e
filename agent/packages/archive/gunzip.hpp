#pragma once

#include "protocol/vocabulary/byte_count.hpp"
#include "protocol/vocabulary/result.hpp"

#include <functional>
#include <memory>
#include <string_view>

namespace satellite::agent {

/// One gzip member, unpacked as its bytes arrive. The only user of zlib.
///
/// Errors: invalid_input = no gzip, damaged, bytes or a second member behind it, or no end;
///         limit_exceeded beyond `size_max`; what `take` says.
/// Source: RFC 1952.
class Gunzip {
 public:
  using Take = std::function<Result<void>(std::string_view)>;
  Gunzip(ByteCount size_max, Take take);
  ~Gunzip();
  Gunzip(const Gunzip&) = delete;
  Gunzip& operator=(const Gunzip&) = delete;

  Result<void> feed(std::string_view bytes);
  /// There are no more bytes.
  Result<void> finish() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace satellite::agent
