#include "tests/fuzz/targets.hpp"
#include "tests/support/file_text.hpp"

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <string>

using namespace satellite;

namespace {

using Check = std::optional<std::string> (*)(std::string_view);
const std::map<std::string, Check> targets{
    {"address_block", fuzz::check_address_block_target},
    {"archive", fuzz::check_archive_target},
    {"bounded_json", fuzz::check_bounded_json_target},
    {"check_state", fuzz::check_check_state_target},
    {"core_url", fuzz::check_core_url_target},
    {"name_services", fuzz::check_name_services_target},
    {"decode", fuzz::check_decode_target},
    {"handshake", fuzz::check_handshake_target},
    {"hints", fuzz::check_hints_target},
    {"http_request", fuzz::check_http_request_target},
    {"kernel_text", fuzz::check_kernel_text_target},
    {"launcher_order", fuzz::check_launcher_order_target},
    {"launcher_record", fuzz::check_launcher_record_target},
    {"manifest", fuzz::check_manifest_target},
    {"masker", fuzz::check_masker_target},
    {"module_answer", fuzz::check_module_answer_target},
    {"user_script", fuzz::check_user_script_target},
    {"netlink", fuzz::check_netlink_target},
    {"offline_record", fuzz::check_offline_record_target},
    {"output", fuzz::check_output_target},
    {"package_json", fuzz::check_package_json_target},
    {"packed_state", fuzz::check_packed_state_target},
    {"plan_question", fuzz::check_plan_question_target},
    {"policy", fuzz::check_policy_target},
    {"proxy_answer", fuzz::check_proxy_answer_target},
    {"proxy_choice", fuzz::check_proxy_choice_target},
    {"redaction", fuzz::check_redaction_target},
    {"result_id", fuzz::check_result_id_target},
    {"run_stream", fuzz::check_run_stream_target},
    {"secret_reference", fuzz::check_secret_reference_target},
    {"settings", fuzz::check_settings_target},
    {"template", fuzz::check_template_target},
};

const std::filesystem::path directory(SATELLITE_FUZZ_DIRECTORY);

std::set<std::string> names_of_targets() {
  std::set<std::string> names;
  for (const auto& [name, check] : targets) names.insert(name);
  return names;
}

}  // namespace

TEST_CASE("every input that a fuzzer keeps still holds") {
  for (const auto& [name, check] : targets) {
    std::size_t files = 0;
    for (const auto& entry : std::filesystem::directory_iterator(directory / "corpus" / name)) {
      const auto broken = check(tests::file_text(entry.path()));
      INFO(entry.path() << ": " << broken.value_or(""));
      CHECK_FALSE(broken.has_value());
      ++files;
    }
    INFO(name);
    CHECK(files >= 3);
  }
}

TEST_CASE("the list of fuzz targets names exactly those that there are, each with a corpus") {
  std::set<std::string> listed, with_corpus;
  std::ifstream list(directory / "targets.txt");
  for (std::string line; std::getline(list, line);) {
    if (!line.empty() && line.front() != '#') listed.insert(line.substr(0, line.find(' ')));
  }
  for (const auto& entry : std::filesystem::directory_iterator(directory / "corpus")) {
    with_corpus.insert(entry.path().filename());
  }
  CHECK(listed == names_of_targets());
  CHECK(with_corpus == names_of_targets());
}
