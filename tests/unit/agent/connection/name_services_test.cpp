#include "agent/connection/name_services.hpp"

#include <catch2/catch.hpp>

using namespace satellite::agent;

namespace {

using Names = std::vector<std::string>;

std::vector<std::string> texts_of(std::string_view output, std::size_t count_max = 16) {
  std::vector<std::string> texts;
  for (const auto& address : addresses_of_getent(output, count_max)) {
    texts.push_back(address.to_string());
  }
  return texts;
}

}  // namespace

TEST_CASE("services beside files and dns are found in every way that nsswitch.conf is written") {
  CHECK(services_not_asked("hosts: files dns\n").empty());
  CHECK(services_not_asked("").empty());
  CHECK(services_not_asked("passwd: files sss\nhosts:files  myhostname\tdns") ==
        Names{"myhostname"});
  CHECK(services_not_asked("  hosts: mdns4_minimal [NOTFOUND=return] resolve [!UNAVAIL=return] "
                           "files myhostname dns # a comment with names\n") ==
        Names{"mdns4_minimal", "resolve", "myhostname"});
  // An action may have blanks within, and stand right behind a name.
  CHECK(services_not_asked("hosts: sss[SUCCESS=continue NOTFOUND=return]files\r\n") ==
        Names{"sss"});
  CHECK(services_not_asked("#hosts: wins\nhosts: dns dns wins wins\nhosts: ldap\n") ==
        Names{"wins", "ldap"});
}

TEST_CASE("what is no name of a service is never shown, and a long list has an end") {
  CHECK(services_not_asked("hosts: \x1b[31m a;b files\n").empty());
  CHECK(services_not_asked("hosts: " + std::string(33, 'a') + "\n").empty());
  std::string many = "hosts:";
  for (int i = 0; i < 100; ++i) many += " s" + std::to_string(i);
  CHECK(services_not_asked(many).size() == 16);
}

TEST_CASE("getent's lines become addresses, each once, in order and bounded") {
  CHECK(texts_of("192.0.2.10      STREAM core.example.test\n192.0.2.10      DGRAM\n"
                 "2001:db8::10    STREAM\n192.0.2.10 RAW") == Names{"192.0.2.10", "2001:db8::10"});
  CHECK(texts_of("fe80::1%1 STREAM\n") == Names{"fe80::1%lo"});
  CHECK(texts_of("") == Names{});
  CHECK(texts_of("no address\n\n  192.0.2.300\n192.0.2.1\n") == Names{"192.0.2.1"});
  CHECK(texts_of("192.0.2.1\n192.0.2.2\n192.0.2.3\n", 2) == Names{"192.0.2.1", "192.0.2.2"});
}
