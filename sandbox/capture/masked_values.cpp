#include "sandbox/capture/masked_values.hpp"

#include <algorithm>
#include <string>

namespace satellite::sandbox {

Result<std::vector<std::string_view>> masked_values(const RunRequest& request) {
  std::vector<std::string_view> values;
  for (const auto& [name, secret] : request.secret_environment) values.push_back(secret.reveal());
  for (const Secret& secret : request.further_secrets) values.push_back(secret.reveal());
  std::sort(values.begin(), values.end());
  values.erase(std::unique(values.begin(), values.end()), values.end());
  std::size_t size = 0;
  for (const auto value : values) size += value.size();
  if (size > masked_size_max.value || values.size() > masked_count_max) {
    return Error{ErrorCode::limit_exceeded,
                 "the secrets of this run are " + std::to_string(values.size()) + " values of " +
                     std::to_string(size) + " bytes; at most " + std::to_string(masked_count_max) +
                     " of " + std::to_string(masked_size_max.value) +
                     " together can be masked in its output: give it fewer or shorter ones"};
  }
  return values;
}

}  // namespace satellite::sandbox
