#include "protocol/vocabulary/json_fields.hpp"

#include "protocol/vocabulary/printable.hpp"

#include <cmath>
#include <nlohmann/json.hpp>
#include <utility>

namespace satellite {

using nlohmann::json;

std::string json_path(std::string_view parent, std::string_view name) {
  std::string path(parent);
  path += '.';
  path += printable(name);
  return path;
}

JsonFields::JsonFields(json& object, std::string path) : path_(std::move(path)) {
  if (object.is_object()) {
    object_ = &object;
  } else {
    fail_at(ErrorCode::invalid_input, path_, "must be an object");
  }
}

void JsonFields::fail(Error error) {
  if (!error_) error_ = std::move(error);
}

void JsonFields::fail_at(ErrorCode code, const std::string& path, std::string_view why) {
  fail(Error{code, path + ": " + std::string(why)});
}

void JsonFields::fail(ErrorCode code, std::string_view name, std::string_view why) {
  fail_at(code, path_of(name), why);
}

std::string JsonFields::path_of(std::string_view name) const {
  return json_path(path_, name);
}

std::string JsonFields::path_of(std::string_view name, std::size_t index) const {
  return path_of(name) + "[" + std::to_string(index) + "]";
}

json* JsonFields::find(std::string_view name) const {
  if (object_ == nullptr) return nullptr;
  const auto member = object_->find(name);
  return member == object_->end() ? nullptr : &*member;
}

json* JsonFields::find_required(std::string_view name) {
  json* value = find(name);
  if (value == nullptr) fail(ErrorCode::invalid_input, name, "is missing");
  return value;
}

bool JsonFields::has(std::string_view name) const {
  return find(name) != nullptr;
}

template <typename PathOf>
std::string JsonFields::take_text(json& value, ByteCount size_max, PathOf path_of_value) {
  if (!value.is_string()) {
    fail_at(ErrorCode::invalid_input, path_of_value(), "must be a string");
    return {};
  }
  auto& text = value.get_ref<std::string&>();
  if (text.size() > size_max.value) {
    fail_at(ErrorCode::limit_exceeded, path_of_value(),
            "has " + std::to_string(text.size()) + " bytes, the limit is " +
                std::to_string(size_max.value));
    return {};
  }
  return std::exchange(text, {});
}

std::string JsonFields::take_member(json& value, std::string_view name, ByteCount size_max) {
  return take_text(value, size_max, [&] { return path_of(name); });
}

std::string JsonFields::required_text(std::string_view name, ByteCount size_max) {
  json* value = find_required(name);
  return value == nullptr ? std::string() : take_member(*value, name, size_max);
}

std::optional<std::string> JsonFields::optional_text(std::string_view name, ByteCount size_max) {
  json* value = find(name);
  if (value == nullptr) return std::nullopt;
  return take_member(*value, name, size_max);
}

std::optional<std::string> JsonFields::nullable_text(std::string_view name, ByteCount size_max) {
  json* value = find_required(name);
  if (value == nullptr || value->is_null()) return std::nullopt;
  return take_member(*value, name, size_max);
}

std::optional<std::string> JsonFields::optional_remark(std::string_view name, ByteCount size_max) {
  auto text = optional_text(name, ByteCount{std::string::npos});
  if (text && text->size() > size_max.value) {
    std::size_t end = size_max.value;
    // A cut inside a code point would leave bytes that are no UTF-8.
    while (end > 0 && (static_cast<unsigned char>((*text)[end]) & 0xC0U) == 0x80U) --end;
    text->resize(end);
  }
  return text;
}

std::string JsonFields::required_remark(std::string_view name, ByteCount size_max) {
  if (find_required(name) == nullptr) return {};
  return optional_remark(name, size_max).value_or("");
}

std::optional<double> JsonFields::number(const json& value, std::string_view name) {
  if (value.is_number()) return value.get<double>();
  fail(ErrorCode::invalid_input, name, "must be a number");
  return std::nullopt;
}

std::int64_t JsonFields::required_integer(std::string_view name, IntegerRange range) {
  json* value = find_required(name);
  if (value == nullptr) return range.min;
  const std::optional<double> seen = number(*value, name);
  if (!seen) return range.min;
  // Every range in use lies within what a double holds exactly, so nothing is lost on the way.
  if (std::floor(*seen) != *seen || *seen < static_cast<double>(range.min) ||
      *seen > static_cast<double>(range.max)) {
    fail(ErrorCode::invalid_input, name,
         "must be a whole number from " + std::to_string(range.min) + " to " +
             std::to_string(range.max));
    return range.min;
  }
  return static_cast<std::int64_t>(*seen);
}

double JsonFields::required_number(std::string_view name) {
  json* value = find_required(name);
  return value == nullptr ? 0 : number(*value, name).value_or(0);
}

std::optional<double> JsonFields::optional_number(std::string_view name) {
  json* value = find(name);
  return value == nullptr ? std::nullopt : number(*value, name);
}

bool JsonFields::required_flag(std::string_view name) {
  if (find_required(name) == nullptr) return false;
  return optional_flag(name).value_or(false);
}

std::optional<bool> JsonFields::optional_flag(std::string_view name) {
  json* value = find(name);
  if (value == nullptr) return std::nullopt;
  if (value->is_boolean()) return value->get<bool>();
  fail(ErrorCode::invalid_input, name, "must be true or false");
  return std::nullopt;
}

json* JsonFields::optional_object(std::string_view name) {
  json* value = find(name);
  if (value == nullptr || value->is_object()) return value;
  fail(ErrorCode::invalid_input, name, "must be an object");
  return nullptr;
}

json* JsonFields::optional_array(std::string_view name, std::size_t entries_max) {
  json* value = find(name);
  if (value == nullptr) return nullptr;
  if (!value->is_array()) {
    fail(ErrorCode::invalid_input, name, "must be an array");
    return nullptr;
  }
  if (value->size() > entries_max) {
    fail(ErrorCode::limit_exceeded, name,
         "has " + std::to_string(value->size()) + " entries, the limit is " +
             std::to_string(entries_max));
    return nullptr;
  }
  return value;
}

std::vector<std::string> JsonFields::optional_texts(std::string_view name,
                                                    const ListBounds& bounds) {
  std::vector<std::string> texts;
  json* list = optional_array(name, bounds.entries_max);
  if (list == nullptr) return texts;
  texts.reserve(list->size());
  for (json& entry : *list) {
    const auto path_of_entry = [&] { return path_of(name, texts.size()); };
    texts.push_back(take_text(entry, bounds.entry_size_max, path_of_entry));
  }
  return texts;
}

std::vector<std::string> JsonFields::required_texts(std::string_view name,
                                                    const ListBounds& bounds) {
  if (find_required(name) == nullptr) return {};
  return optional_texts(name, bounds);
}

template <typename Keep>
bool JsonFields::for_each_text(std::string_view name, const MapBounds& bounds, Keep keep) {
  json* object = optional_object(name);
  if (object == nullptr) return false;
  if (object->size() > bounds.entries_max) {
    fail(ErrorCode::limit_exceeded, name,
         "has " + std::to_string(object->size()) + " entries, the limit is " +
             std::to_string(bounds.entries_max));
    return true;
  }
  ByteCount size;
  for (auto& [key, value] : object->items()) {
    const auto path_of_entry = [&, &shown = key] { return json_path(path_of(name), shown); };
    if (key.size() > bounds.entry_size_max.value) {
      fail_at(ErrorCode::limit_exceeded, path_of_entry(),
              "the name alone passes the limit of an entry");
      return true;
    }
    std::string text =
        take_text(value, bounds.entry_size_max - ByteCount{key.size()}, path_of_entry);
    size += ByteCount{key.size() + text.size()};
    keep(key, std::move(text));
  }
  if (size > bounds.size_max) {
    fail(ErrorCode::limit_exceeded, name,
         "has " + std::to_string(size.value) + " bytes in all, the limit is " +
             std::to_string(bounds.size_max.value));
  }
  return true;
}

std::optional<std::map<std::string, std::string>> JsonFields::optional_text_map(
    std::string_view name, const MapBounds& bounds) {
  std::map<std::string, std::string> texts;
  const bool present = for_each_text(name, bounds, [&](const std::string& key, std::string text) {
    texts.emplace(key, std::move(text));
  });
  if (!present) return std::nullopt;
  return texts;
}

std::optional<std::map<std::string, Secret>> JsonFields::optional_secret_map(
    std::string_view name, const MapBounds& bounds) {
  std::map<std::string, Secret> secrets;
  const bool present = for_each_text(name, bounds, [&](const std::string& key, std::string text) {
    secrets.emplace(key, Secret(std::move(text)));
  });
  // Moving a short string leaves its bytes behind in the JSON value.
  json* object = present ? find(name) : nullptr;
  if (object != nullptr) {
    for (json& value : *object) {
      if (value.is_string()) wipe(value.get_ref<std::string&>());
    }
  }
  if (!present) return std::nullopt;
  return secrets;
}

std::size_t JsonFields::required_word_index(std::string_view name,
                                            const std::vector<std::string_view>& texts) {
  json* value = find_required(name);
  if (value == nullptr) return 0;
  std::string allowed;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    if (value->is_string() && value->get_ref<const std::string&>() == texts[i]) return i;
    allowed += (i == 0 ? "" : ", ") + std::string(texts[i]);
  }
  fail(ErrorCode::invalid_input, name, "must be one of: " + allowed);
  return 0;
}

}  // namespace satellite
