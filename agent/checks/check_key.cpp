#include "agent/checks/check_key.hpp"

namespace satellite::agent {

std::string check_key(const protocol::Assignment& assignment,
                      const std::optional<std::string>& environment_id) {
  // A separator no id needs.
  std::string key = assignment.config_id.text + '\0' + assignment.system_id.text + '\0';
  return environment_id ? key + '+' + *environment_id : key + '-';
}

}  // namespace satellite::agent
