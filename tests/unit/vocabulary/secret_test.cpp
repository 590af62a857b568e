#include "protocol/vocabulary/secret.hpp"

#include <array>
#include <catch2/catch.hpp>
#include <new>
#include <ostream>
#include <string>
#include <type_traits>
#include <utility>

using namespace satellite;

namespace {

template <typename Value, typename = void>
struct IsPrintable : std::false_type {};
template <typename Value>
struct IsPrintable<
    Value, std::void_t<decltype(std::declval<std::ostream&>() << std::declval<const Value&>())>>
    : std::true_type {};

static_assert(IsPrintable<std::string>::value);
static_assert(!IsPrintable<Secret>::value);
static_assert(!std::is_copy_constructible_v<Secret> && !std::is_copy_assignable_v<Secret>);
static_assert(!std::is_convertible_v<Secret, std::string_view>);

/// Room for one Secret whose bytes can still be read after its end: short values live inside it.
struct Storage {
  alignas(Secret) std::array<char, sizeof(Secret)> bytes{};
  bool holds(std::string_view text) const {
    return std::string_view(bytes.data(), bytes.size()).find(text) != std::string_view::npos;
  }
};

constexpr const char* short_word = "pass-word-123";

}  // namespace

TEST_CASE("a secret shows its bytes only when asked by name") {
  const Secret secret(std::string("hush"));
  CHECK(secret.reveal() == "hush");
  CHECK_FALSE(secret.empty());
  CHECK(Secret().empty());
  CHECK(secret.duplicate().reveal() == "hush");
}

TEST_CASE("a secret leaves no bytes behind when it ends") {
  Storage storage;
  auto* secret = new (storage.bytes.data()) Secret(std::string(short_word));
  CHECK(storage.holds(short_word));
  secret->~Secret();
  CHECK_FALSE(storage.holds(short_word));
}

TEST_CASE("a secret that moved away leaves no bytes behind") {
  Storage storage;
  auto* secret = new (storage.bytes.data()) Secret(std::string(short_word));
  const Secret moved(std::move(*secret));
  CHECK(moved.reveal() == short_word);
  CHECK_FALSE(storage.holds(short_word));
  secret->~Secret();
}

TEST_CASE("assigning over a secret wipes the old one and the source") {
  Storage storage;
  auto* secret = new (storage.bytes.data()) Secret(std::string(short_word));
  *secret = Secret(std::string("x"));
  CHECK(secret->reveal() == "x");
  CHECK_FALSE(storage.holds("word-123"));
  secret->~Secret();
}

TEST_CASE("wiping a text clears its whole buffer, spare capacity too") {
  std::string text(200, 's');
  text.resize(3);
  const char* buffer = text.data();
  wipe(text);
  CHECK(text.empty());
  REQUIRE(text.data() == buffer);
  bool clean = true;
  for (std::size_t i = 0; i < text.capacity(); ++i) clean = clean && buffer[i] == '\0';
  CHECK(clean);
}
