// The reader trusts nothing: what it reads was written by our own packer from what a hostile
// script left, and has lain on a disk since.
#include "sandbox/state/packed_state.hpp"

#include <algorithm>
#include <limits>
#include <utility>

namespace satellite::sandbox {
namespace {

constexpr std::string_view magic("CSTS\x01\x00\x00\x00", 8);
constexpr char end_mark = '\0';
constexpr std::size_t name_size_max = 255;  // NAME_MAX
constexpr std::uint16_t permission_bits = 0777;
constexpr std::uint32_t nanoseconds_of_a_second = 1'000'000'000;

/// Low byte first, on every host.
template <typename Number>
void append(std::string& bytes, Number value) {
  auto rest = static_cast<std::uint64_t>(value);
  for (std::size_t i = 0; i < sizeof(Number); ++i, rest >>= 8U) {
    bytes += static_cast<char>(rest & 0xFFU);
  }
}

class Reader {
 public:
  explicit Reader(std::string_view bytes) : rest_(bytes) {}

  std::string_view take(std::uint64_t size) {
    if (size > rest_.size()) failed_ = true;
    if (failed_) return {};
    const auto taken = rest_.substr(0, static_cast<std::size_t>(size));
    rest_.remove_prefix(taken.size());
    return taken;
  }
  template <typename Number>
  Number number() {
    std::uint64_t value = 0;
    const auto bytes = take(sizeof(Number));
    for (std::size_t i = bytes.size(); i-- > 0;) {
      value = value << 8U | static_cast<unsigned char>(bytes[i]);
    }
    return static_cast<Number>(value);
  }
  bool failed() const { return failed_; }
  bool is_at_end() const { return rest_.empty(); }

 private:
  std::string_view rest_;
  bool failed_ = false;
};

Error no_state(const char* why) {
  return Error{ErrorCode::invalid_input, std::string("not a packed state: ") + why};
}

/// How many names the path has; 0 = it is none.
std::size_t depth_of(std::string_view path) {
  std::size_t depth = 0;
  for (bool more = true; more; ++depth) {
    const auto slash = path.find('/');
    more = slash != std::string_view::npos;
    if (!is_state_name(path.substr(0, slash))) return 0;
    path.remove_prefix(more ? slash + 1 : path.size());
  }
  return depth;
}

std::string_view parent_of(std::string_view path) {
  const auto slash = path.rfind('/');
  return slash == std::string_view::npos ? std::string_view() : path.substr(0, slash);
}

StateEntry read_entry(Reader& in, StateEntry::Kind kind) {
  StateEntry entry;
  entry.kind = kind;
  entry.mode = in.number<std::uint16_t>();
  entry.path = in.take(in.number<std::uint16_t>());
  if (kind == StateEntry::Kind::directory) return entry;
  entry.modified_seconds = in.number<std::int64_t>();
  entry.modified_nanoseconds = in.number<std::uint32_t>();
  entry.content = in.take(in.number<std::uint64_t>());
  return entry;
}

/// What is wrong with an entry by itself, or at its place behind the others.
class Order {
 public:
  Result<void> take(const StateEntry& entry) {
    const std::size_t depth = depth_of(entry.path);
    if (depth == 0) return no_state("a path that is none");
    if (depth > state_depth_max) {
      return Error{ErrorCode::limit_exceeded, "more than 8 directories in each other"};
    }
    if ((entry.mode & ~permission_bits) != 0) return no_state("a mode with more than permissions");
    if (entry.modified_nanoseconds >= nanoseconds_of_a_second) return no_state("a time");
    if (!last_.empty() && !is_before(last_, entry.path)) return no_state("out of order");
    const auto parent = parent_of(entry.path);
    while (!open_.empty() && open_.back() != parent) open_.pop_back();
    if (open_.empty() && !parent.empty()) return no_state("a path in no directory");
    if (entry.kind == StateEntry::Kind::directory) open_.push_back(entry.path);
    last_ = entry.path;
    return {};
  }

 private:
  std::string_view last_;
  std::vector<std::string_view> open_;  ///< directories, each in the one before it
};

}  // namespace

bool is_state_name(std::string_view name) {
  return !name.empty() && name.size() <= name_size_max && name != "." && name != ".." &&
         name.find('/') == std::string_view::npos && name.find('\0') == std::string_view::npos;
}

bool is_before(std::string_view path, std::string_view other) {
  const auto rank = [](char c) { return c == '/' ? 0 : static_cast<unsigned char>(c); };
  return std::lexicographical_compare(path.begin(), path.end(), other.begin(), other.end(),
                                      [&rank](char a, char b) { return rank(a) < rank(b); });
}

Result<std::vector<StateEntry>> read_packed_state(std::string_view packed, ByteCount size_max) {
  std::vector<StateEntry> entries;
  if (packed.empty()) return entries;
  Reader in(packed);
  if (in.take(magic.size()) != magic) return no_state("foreign bytes");
  Order order;
  ByteCount size;
  for (;;) {
    const auto kind = in.number<std::uint8_t>();
    if (in.failed()) return no_state("it is torn");
    if (kind == static_cast<std::uint8_t>(end_mark)) break;
    if (kind > static_cast<std::uint8_t>(StateEntry::Kind::file)) return no_state("a kind");
    const auto entry = read_entry(in, static_cast<StateEntry::Kind>(kind));
    if (in.failed()) return no_state("it is torn");
    if (auto taken = order.take(entry); !taken) return taken.error();
    size += ByteCount{entry.content.size()};
    if (entries.size() == state_entries_max || size > size_max) {
      return Error{ErrorCode::limit_exceeded, "more than a state may have"};
    }
    entries.push_back(entry);
  }
  if (!in.is_at_end()) return no_state("something stands behind its end");
  return entries;
}

std::string packed_state_head() {
  return std::string(magic);
}

std::string packed_entry_head(const StateEntry& entry, std::uint64_t content_size) {
  std::string bytes;
  append(bytes, static_cast<std::uint8_t>(entry.kind));
  append(bytes, entry.mode);
  append(bytes, static_cast<std::uint16_t>(entry.path.size()));
  bytes += entry.path;
  if (entry.kind == StateEntry::Kind::directory) return bytes;
  append(bytes, entry.modified_seconds);
  append(bytes, entry.modified_nanoseconds);
  append(bytes, content_size);
  return bytes;
}

std::string packed_state_end() {
  return std::string(1, end_mark);
}

}  // namespace satellite::sandbox
