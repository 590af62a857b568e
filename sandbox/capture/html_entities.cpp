#include "sandbox/capture/html_entities.hpp"

#include <algorithm>
#include <array>

namespace satellite::sandbox {
namespace {

struct Entity {
  std::string_view name;
  std::uint16_t code_point;
};

// Sorted by name.
constexpr std::array<Entity, 142> entities{{
    {"AElig", 0xC6},        {"AMP", 0x26},
    {"Aacute", 0xC1},       {"Acirc", 0xC2},
    {"Agrave", 0xC0},       {"Aring", 0xC5},
    {"Atilde", 0xC3},       {"Auml", 0xC4},
    {"Ccedil", 0xC7},       {"DiacriticalGrave", 0x60},
    {"ETH", 0xD0},          {"Eacute", 0xC9},
    {"Ecirc", 0xCA},        {"Egrave", 0xC8},
    {"Euml", 0xCB},         {"GT", 0x3E},
    {"Hat", 0x5E},          {"Iacute", 0xCD},
    {"Icirc", 0xCE},        {"Igrave", 0xCC},
    {"Iuml", 0xCF},         {"LT", 0x3C},
    {"NewLine", 0xA},       {"Ntilde", 0xD1},
    {"Oacute", 0xD3},       {"Ocirc", 0xD4},
    {"Ograve", 0xD2},       {"Oslash", 0xD8},
    {"Otilde", 0xD5},       {"Ouml", 0xD6},
    {"QUOT", 0x22},         {"THORN", 0xDE},
    {"Tab", 0x9},           {"Uacute", 0xDA},
    {"Ucirc", 0xDB},        {"Ugrave", 0xD9},
    {"UnderBar", 0x5F},     {"Uuml", 0xDC},
    {"VerticalLine", 0x7C}, {"Yacute", 0xDD},
    {"aacute", 0xE1},       {"acirc", 0xE2},
    {"acute", 0xB4},        {"aelig", 0xE6},
    {"agrave", 0xE0},       {"amp", 0x26},
    {"apos", 0x27},         {"aring", 0xE5},
    {"ast", 0x2A},          {"atilde", 0xE3},
    {"auml", 0xE4},         {"brvbar", 0xA6},
    {"bsol", 0x5C},         {"ccedil", 0xE7},
    {"cedil", 0xB8},        {"cent", 0xA2},
    {"colon", 0x3A},        {"comma", 0x2C},
    {"commat", 0x40},       {"copy", 0xA9},
    {"curren", 0xA4},       {"deg", 0xB0},
    {"divide", 0xF7},       {"dollar", 0x24},
    {"eacute", 0xE9},       {"ecirc", 0xEA},
    {"egrave", 0xE8},       {"equals", 0x3D},
    {"eth", 0xF0},          {"euml", 0xEB},
    {"euro", 0x20AC},       {"excl", 0x21},
    {"frac12", 0xBD},       {"frac14", 0xBC},
    {"frac34", 0xBE},       {"grave", 0x60},
    {"gt", 0x3E},           {"iacute", 0xED},
    {"icirc", 0xEE},        {"iexcl", 0xA1},
    {"igrave", 0xEC},       {"iquest", 0xBF},
    {"iuml", 0xEF},         {"laquo", 0xAB},
    {"lbrace", 0x7B},       {"lbrack", 0x5B},
    {"lcub", 0x7B},         {"lowbar", 0x5F},
    {"lpar", 0x28},         {"lsqb", 0x5B},
    {"lt", 0x3C},           {"macr", 0xAF},
    {"micro", 0xB5},        {"midast", 0x2A},
    {"middot", 0xB7},       {"nbsp", 0xA0},
    {"not", 0xAC},          {"ntilde", 0xF1},
    {"num", 0x23},          {"oacute", 0xF3},
    {"ocirc", 0xF4},        {"ograve", 0xF2},
    {"ordf", 0xAA},         {"ordm", 0xBA},
    {"oslash", 0xF8},       {"otilde", 0xF5},
    {"ouml", 0xF6},         {"para", 0xB6},
    {"percnt", 0x25},       {"period", 0x2E},
    {"plus", 0x2B},         {"plusmn", 0xB1},
    {"pound", 0xA3},        {"quest", 0x3F},
    {"quot", 0x22},         {"raquo", 0xBB},
    {"rbrace", 0x7D},       {"rbrack", 0x5D},
    {"rcub", 0x7D},         {"reg", 0xAE},
    {"rpar", 0x29},         {"rsqb", 0x5D},
    {"sect", 0xA7},         {"semi", 0x3B},
    {"shy", 0xAD},          {"sol", 0x2F},
    {"sup1", 0xB9},         {"sup2", 0xB2},
    {"sup3", 0xB3},         {"szlig", 0xDF},
    {"thorn", 0xFE},        {"times", 0xD7},
    {"uacute", 0xFA},       {"ucirc", 0xFB},
    {"ugrave", 0xF9},       {"uml", 0xA8},
    {"uuml", 0xFC},         {"verbar", 0x7C},
    {"vert", 0x7C},         {"yacute", 0xFD},
    {"yen", 0xA5},          {"yuml", 0xFF},
}};

}  // namespace

std::optional<std::uint32_t> html_entity(std::string_view name) {
  const auto found = std::lower_bound(
      entities.begin(), entities.end(), name,
      [](const Entity& entity, std::string_view wanted) { return entity.name < wanted; });
  if (found == entities.end() || found->name != name) return std::nullopt;
  return found->code_point;
}

}  // namespace satellite::sandbox
