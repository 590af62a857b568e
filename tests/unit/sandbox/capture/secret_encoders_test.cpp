// What real programs make of a secret: none of it may get through the masker, wherever two reads
// cut it.
#include "protocol/vocabulary/utf8.hpp"
#include "sandbox/capture/masker.hpp"
#include "tests/support/require_layer.hpp"
#include "tests/support/temp_dir.hpp"

#include <catch2/catch.hpp>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <memory>
#include <random>
#include <sstream>

using namespace satellite::sandbox;
using satellite::tests::require_layer;
using satellite::tests::TempDir;

namespace {

/// A program's way to write a secret, which it finds in the file "$S" and in the variable "$TOK".
struct Encoder {
  const char* name;
  const char* command;
  /// How many characters, blanks aside, may stay beside the mask: quotes, offsets, padding, words.
  std::size_t beside;
  bool text_only = false;  ///< it takes UTF-8 and nothing else
};

const std::vector<Encoder>& python_encoders() {
  // Each is an expression for `t` (text) or `b` (bytes); the command is made of them.
  static const std::vector<Encoder> encoders{
      {"json", "json.dumps(t)", 2, true},
      {"json utf-8", "json.dumps(t,ensure_ascii=False)", 2, true},
      {"json for html",
       "json.dumps(t).replace('<','\\\\u003c').replace('>','\\\\u003E').replace('&','\\\\u0026')",
       2, true},
      {"json solidus", "json.dumps(t).replace('/','\\\\/')", 2, true},
      {"quote", "urllib.parse.quote_from_bytes(b)", 0},
      {"quote all", "urllib.parse.quote_from_bytes(b,safe='')", 0},
      {"quote plus", "urllib.parse.quote_plus(b)", 0},
      {"quote some", "urllib.parse.quote_from_bytes(b,safe='!*();:@$,?#[]~')", 0},
      {"percent upper", "''.join('%%%02X'%c for c in b)", 0},
      {"percent lower", "''.join('%%%02x'%c for c in b)", 0},
      {"html", "html.escape(t)", 0, true},
      {"html decimal", "''.join('&#%d;'%ord(c) for c in t)", 0, true},
      {"html hexadecimal", "''.join('&#x%x;'%ord(c) for c in t)", 0, true},
      {"html names",
       "''.join('&%s;'%html.entities.codepoint2name[ord(c)] if 160<=ord(c)<256 or c in '<>&\\\"' "
       "else c for c in t)",
       0, true},
      {"xml attribute", "xml.sax.saxutils.quoteattr(t)", 2, true},
      {"shlex", "shlex.quote(t)", 2, true},
      {"repr", "repr(t)", 2, true},
      {"repr of bytes", "repr(b)", 3},
      {"ascii", "ascii(t)", 2, true},
      {"escape \\x", "''.join('\\\\x%02x'%c for c in b)", 0},
      {"escape octal", "''.join('\\\\%03o'%c for c in b)", 0},
      {"sql", "\"'\"+t.replace(\"'\",\"''\")+\"'\"", 2, true},
      {"csv", "'\\\"'+t.replace('\\\"','\\\"\\\"')+'\\\"'", 2, true},
      {"quoted-printable", "quopri.encodestring(b).decode('latin-1')", 1},
      {"base64", "base64.b64encode(b).decode()", 4},
      {"base64 url", "base64.urlsafe_b64encode(b).decode()", 4},
      {"base64 76", "base64.encodebytes(b).decode()", 4},
      {"base64 mime", "base64.encodebytes(b).decode().replace('\\n','\\r\\n')", 4},
      {"base64 64", "textwrap.fill(base64.b64encode(b).decode(),64)", 4},
      {"base64 10 indented", "textwrap.indent(textwrap.fill(base64.b64encode(b).decode(),10),'  ')",
       4},
      {"base64 in json", "json.dumps(base64.encodebytes(b).decode())", 8},
      {"base64 in a url", "urllib.parse.quote(base64.b64encode(b).decode(),safe='')", 9},
      {"basic auth", "base64.b64encode(b'user:'+b).decode()", 12},
      {"basic auth 1", "base64.b64encode(b'u:'+b).decode()", 8},
      {"basic auth 2", "base64.b64encode(b'usr:'+b+b'!').decode()", 12},
      {"base32", "base64.b32encode(b).decode()", 8},
      {"base32 lower", "base64.b32encode(b).decode().lower()", 8},
      {"base32 inside", "textwrap.fill(base64.b32encode(b'abc'+b+b'xy').decode(),16)", 18},
      {"hex", "b.hex()", 0},
      {"hex upper", "b.hex().upper()", 0},
      {"hex spaced", "b.hex(' ')", 0},
      {"hex colons", "b.hex(':').upper()", 0},
      {"hex wrapped", "textwrap.fill(b.hex(),10)", 0},
      {"hex colons wrapped", "'\\n    '.join(textwrap.wrap(b.hex(':')+':',15))", 1},
      {"hex list", "', '.join('0x%02x'%c for c in b)", 2},
  };
  return encoders;
}

const std::vector<Encoder>& shell_encoders() {
  static const std::vector<Encoder> encoders{
      {"bash", R"(bash -c 'printf %q "$TOK"')", 3},
      {"bash", R"(bash -c 'declare -p TOK')", 20},
      {"bash", R"(bash -c 'printf %s "${TOK@Q}"')", 3},
      {"bash", R"(bash -c 'set -x; : "$TOK"' 2>&1)", 8},
      {"bash", R"(LC_ALL=C bash -c 'printf %q "$TOK"')", 3},
      {"bash", R"(LC_ALL=C bash -c 'set -x; : "$TOK"' 2>&1)", 8},
      {"dash", R"(dash -c 'set -x; : "$TOK"' 2>&1)", 8},
      {"dash", R"(dash -c set | grep -a -A99 ^TOK=)", 1000},
      {"ls", R"(cd / && LC_ALL=C ls -- "$TOK" 2>&1)", 48},
      {"xxd", R"(xxd "$S")", 9},
      {"xxd", R"(xxd -u -g1 "$S")", 9},
      {"xxd", R"(xxd -g0 -c 7 "$S")", 9},
      {"xxd", R"(xxd -p "$S")", 0},
      {"xxd", R"(xxd -i < "$S")", 2},
      {"xxd", R"((printf 0123456789; cat "$S"; printf tail) | xxd)", 80},
      {"od", R"(od -An -tx1 "$S")", 0},
      {"od", R"(od -tx1 "$S")", 14},
      {"od", R"(od -A x -t x1z "$S")", 16},
      {"od", R"((printf 0123456789abc; cat "$S") | od -A d -t x1z -v)", 80},
      {"hexdump", R"(hexdump -C "$S")", 20},
      {"openssl", R"(openssl base64 -in "$S")", 4},
      {"openssl", R"(openssl base64 -A -in "$S")", 4},
      {"base64", R"(base64 -w 20 "$S")", 4},
      {"base32", R"(base32 "$S")", 8},
      {"jq", R"(printf %s "$TOK" | jq -Rs .)", 2, true},
      {"jq", R"(printf %s "$TOK" | jq -aRs .)", 2, true},
      {"jq", R"(printf %s "$TOK" | jq -rRs @uri)", 0, true},
      {"jq", R"(printf %s "$TOK" | jq -rRs @html)", 0, true},
      {"jq", R"(printf %s "$TOK" | jq -rRs @sh)", 2, true},
      {"jq", R"(printf %s "$TOK" | jq -rRs @base64)", 4, true},
      {"jq", R"(printf %s "$TOK" | jq -rRs '[.]|@csv')", 2, true},
      {"node", R"(node -p 'JSON.stringify(process.env.TOK)')", 2, true},
      {"node", R"(node -p 'encodeURIComponent(process.env.TOK)')", 0, true},
      {"node", R"(node -p 'encodeURI(process.env.TOK)')", 0, true},
      {"node", R"(node -p 'escape(process.env.TOK)')", 0, true},
      {"node", R"(node -p 'new URLSearchParams({a:process.env.TOK}).toString()')", 2, true},
      {"perl", R"(perl -e 'print quotemeta $ENV{TOK}')", 0},
      {"iconv", R"(iconv -f UTF-8 -t UTF-16LE "$S")", 0, true},
      {"iconv", R"(iconv -f UTF-8 -t UTF-16BE "$S")", 0, true},
  };
  return encoders;
}

bool is_installed(const std::string& program) {
  return std::system(("command -v " + program + " >/dev/null 2>&1").c_str()) == 0;
}

std::string output_of(const std::string& command) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> pipe(::popen(command.c_str(), "r"),
                                                             ::pclose);
  std::string text;
  char buffer[4096];
  while (const std::size_t size = std::fread(buffer, 1, sizeof buffer, pipe.get())) {
    text.append(buffer, size);
  }
  return text;
}

std::string masked_cut_at(const SecretPatterns& patterns, const std::string& text,
                          std::size_t cut) {
  Masker masker(patterns);
  std::string result(masker.feed(std::string_view(text).substr(0, cut)));
  result += masker.feed(std::string_view(text).substr(cut));
  result += masker.finish();
  return result;
}

std::string masked_byte_by_byte(const SecretPatterns& patterns, const std::string& text) {
  Masker masker(patterns);
  std::string result;
  for (const char c : text) result += masker.feed(std::string(1, c));
  result += masker.finish();
  return result;
}

/// What stays beside the masks, blanks aside.
std::size_t size_beside_masks(std::string text) {
  for (auto at = text.find(mask_text); at != std::string::npos; at = text.find(mask_text)) {
    text.erase(at, mask_text.size());
  }
  std::erase_if(text, [](char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; });
  return text.size();
}

void check_masked(const std::string& secret, const std::string& name, std::size_t beside,
                  const std::string& text) {
  const SecretPatterns patterns({secret});
  CAPTURE(name, secret, text);
  const std::string whole = masked_cut_at(patterns, text, 0);
  CAPTURE(whole);
  REQUIRE(whole.find(mask_text) != std::string::npos);
  REQUIRE(size_beside_masks(whole) <= beside);
  REQUIRE(whole.find(secret) == std::string::npos);
  for (std::size_t cut = 0; cut <= text.size(); ++cut) {
    if (masked_cut_at(patterns, text, cut) != whole)
      FAIL("a cut at " << cut << " makes a difference");
  }
  REQUIRE(masked_byte_by_byte(patterns, text) == whole);
}

std::string random_text(std::mt19937& random, const std::vector<std::string>& characters,
                        std::size_t size) {
  std::string text;
  while (text.size() < size) text += characters[random() % characters.size()];
  return text;
}

/// One secret of each kind. That of signs may fill several lines of any encoder; every cut through
/// such a text is the square of its length in work, so that the others are shorter.
std::vector<std::string> random_secrets(std::mt19937& random) {
  const auto long_size = [&random] { return std::size_t{8} + random() % 60; };
  const auto size = [&random] { return std::size_t{8} + random() % 24; };
  std::vector<std::string> signs, letters{"a", "Z", "0", "7", "q", "-"}, bytes;
  for (char c = 0x21; c < 0x7F; ++c) signs.emplace_back(1, c);
  for (int c = 1; c < 256; ++c) bytes.emplace_back(1, static_cast<char>(c));
  const std::vector<std::string> wide{"\u00e4", "\u00c3", "\u00df", "\u20ac", "\U0001F600",
                                      "<",      ">",      "&",      "x"};
  const std::vector<std::string> quotes{"'", "\"", "\\", "%", "&", "=", "+", " ", "$", "a", "B"};
  const std::vector<std::string> lines{"\n", "\t", "a", "b", "'", "C"};
  // The first and last character is a plain one: white space there is nobody's password.
  return {random_text(random, signs, long_size()),
          random_text(random, letters, size()),
          "k" + random_text(random, bytes, size()) + "k",
          "k" + random_text(random, wide, size()) + "k",
          "k" + random_text(random, quotes, size()) + "k",
          "k" + random_text(random, lines, size()) + "k"};
}

bool is_text(const std::string& secret) {
  return satellite::valid_utf8_prefix(secret) == secret.size();
}

constexpr const char* no_encoder = "it is not installed";

}  // namespace

TEST_CASE("what Python's encoders make of a secret is masked at every cut") {
  if (!require_layer("python3", is_installed("python3"), no_encoder)) return;
  const TempDir directory;
  std::string program =
      "import sys,json,urllib.parse,html,html.entities,xml.sax.saxutils,shlex,quopri,base64,"
      "textwrap\nb=open(sys.argv[1],'rb').read()\nout=sys.stdout.buffer\n"
      "try: t=b.decode()\nexcept UnicodeDecodeError: t=None\n";
  for (const Encoder& encoder : python_encoders()) {
    const std::string condition = encoder.text_only ? "t is not None" : "True";
    program += "out.write(((" + std::string(encoder.command) + ") if " + condition +
               " else '').encode()+b'\\0')\n";
  }
  const std::string program_file = directory.write("encode.py", program);
  std::mt19937 random(7);
  for (const std::string& secret : random_secrets(random)) {
    const std::string file = directory.write("secret", secret);
    std::istringstream records(output_of("python3 " + program_file + " " + file));
    for (const Encoder& encoder : python_encoders()) {
      std::string text;
      REQUIRE(std::getline(records, text, '\0'));
      if (encoder.text_only && !is_text(secret)) continue;
      check_masked(secret, encoder.name, encoder.beside, text);
    }
  }
}

TEST_CASE("what shells, dump programs and other encoders make of a secret is masked at every cut") {
  const TempDir directory;
  std::mt19937 random(8);
  std::vector<Encoder> present;
  ::setenv("LC_ALL", "C.UTF-8", 1);
  for (const Encoder& encoder : shell_encoders()) {
    if (require_layer(encoder.name, is_installed(encoder.name), no_encoder)) {
      present.push_back(encoder);
    }
  }
  for (const std::string& secret : random_secrets(random)) {
    ::setenv("S", directory.write("secret", secret).c_str(), 1);
    ::setenv("TOK", secret.c_str(), 1);
    for (const Encoder& encoder : present) {
      if (encoder.text_only && !is_text(secret)) continue;
      const std::string text = output_of(encoder.command);
      check_masked(secret, encoder.command, encoder.beside, text);
    }
  }
}

TEST_CASE("property: a form of a secret becomes one mask, and nothing around it is lost") {
  std::mt19937 random(9);
  for (int round = 0; round < 300; ++round) {
    for (const std::string& secret : random_secrets(random)) {
      std::string escaped, hexadecimal;
      for (const char c : secret) {
        const auto byte = static_cast<unsigned char>(c);
        const std::string digits{"0123456789abcdef"[byte >> 4U], "0123456789ABCDEF"[byte & 0xFU]};
        escaped += random() % 2 == 0 ? "\\x" + digits : "%" + digits;
        hexadecimal += digits;
        if (random() % 4 == 0) hexadecimal += std::vector{" ", ":", "\n", ", 0x"}[random() % 4];
      }
      while (hexadecimal.find_last_of("0123456789abcdefABCDEF") + 1 != hexadecimal.size()) {
        hexadecimal.pop_back();
      }
      if (hexadecimal.ends_with(", 0")) hexadecimal.resize(hexadecimal.size() - 3);
      const bool has_introducers = secret.find_first_of("\\%&'\"=+") != std::string::npos;
      const SecretPatterns patterns({secret});
      const std::string before = "## " + std::string(random() % 20, '~') + " ";
      const std::string after = " " + std::string(random() % 20, '~') + "\n";
      CAPTURE(secret);
      CHECK(masked_cut_at(patterns, before + secret + after, random() % secret.size()) ==
            before + "****" + after);
      CHECK(masked_cut_at(patterns, before + hexadecimal + after, random() % secret.size()) ==
            before + "****" + after);
      // Two families of escapes in one text are found where neither is ambiguous.
      if (!has_introducers) {
        CHECK(masked_cut_at(patterns, before + escaped + after, random() % secret.size()) ==
              before + "****" + after);
      }
      // The control: the secret without its last character is none.
      const std::string less = secret.substr(0, secret.size() - 1);
      CHECK(masked_cut_at(patterns, before + less + after, 5) == before + less + after);
    }
  }
}

TEST_CASE("property: what comes out of hostile text does not depend on the reads") {
  std::mt19937 random(10);
  const std::vector<std::string> tokens{"a",   "b",  "6",    "1",    " ",  "  ", "\n",       "\\",
                                        "\\u", "%",  "&",    "&#",   ";",  "'",  "\"",       "=",
                                        "61",  "62", "0061", "YWJh", ": ", "|",  "00000000", "\r"};
  for (int round = 0; round < 1'500; ++round) {
    const std::vector<std::string> secrets{
        random_text(random, {"a", "b", "a'", "\\", "%"}, 4 + random() % 8), "abababab",
        "a'b\"c\\d%"};
    std::string text = random_text(random, tokens, 20 + random() % 200);
    text.insert(random() % text.size(), secrets[random() % secrets.size()]);
    const SecretPatterns patterns({secrets.begin(), secrets.end()});
    const std::string whole = masked_cut_at(patterns, text, 0);
    CAPTURE(text, secrets);
    REQUIRE(masked_byte_by_byte(patterns, text) == whole);
    for (int i = 0; i < 8; ++i)
      REQUIRE(masked_cut_at(patterns, text, random() % text.size()) == whole);
    for (const std::string& secret : secrets) REQUIRE(whole.find(secret) == std::string::npos);
  }
}

TEST_CASE("no output makes the masker hold back more than its bound, or take long over it") {
  const std::string secret = GENERATE(
      as<std::string>{}, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab",
      "\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\b",
      "'''''''''''''''''b", "\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x67");
  const std::string unit =
      GENERATE(as<std::string>{}, "a", "\\", "'", "'\"", "\\u0061", "66 ", "66", "66  \n",
               "66  column of text\n00000010: ", "Zm", "%61", "&#97;", "\\x5c", "''");
  std::string flood;
  while (flood.size() < 20'000) flood += unit;
  const SecretPatterns patterns({secret});
  Masker masker(patterns);
  std::size_t shown = 0;
  const auto begun = std::clock();
  for (std::size_t at = 0; at < flood.size(); at += 4096) {
    const std::string_view piece = std::string_view(flood).substr(at, 4096);
    shown += masker.feed(piece).size();
  }
  shown += masker.finish().size();
  CAPTURE(secret, unit);
  CHECK(shown > 0);
  CHECK(std::clock() - begun < 5 * CLOCKS_PER_SEC);
  // In small pieces, as a script may write it. Where nothing is a whole secret, what has not come
  // out is held back.
  SecretPatterns::Work work;
  const auto match = patterns.find(flood, 0, TextEnd::final, work);
  if (match && match->size > 0) return;
  Masker slow(patterns);
  std::size_t given = 0, seen = 0, held_max = 0;
  constexpr std::size_t size = 20'000, step = 80;
  for (; given < size; given += step) {
    seen += slow.feed(std::string_view(flood).substr(given, step)).size();
    held_max = std::max(held_max, given + step - seen);
  }
  CHECK(held_max <= SecretPatterns::match_size_max);
  CHECK(seen + slow.finish().size() == given);
}
