#include "agent/packages/sync_machine.hpp"

#include "agent/packages/manifest/manifest.hpp"

#include <catch2/catch.hpp>
#include <map>
#include <string>
#include <utility>
#include <vector>

using namespace satellite;
using namespace satellite::agent;
using namespace std::chrono_literals;

namespace {

const std::string wanted_hash(64, 'a'), other_hash(64, 'b');

protocol::ScriptPackageManifest sync_manifest(const std::string& hash = wanted_hash) {
  return {hash, {{"x", "1.0.0", "i1", std::nullopt}, {"y", "1.0.0", "i2", std::nullopt}}};
}

Error sync_error() {
  return {ErrorCode::io_failed, "broken"};
}

/// Every event, with and without success where it has both, by a word.
const std::vector<std::pair<std::string, SyncEvent>>& sync_events() {
  static const std::vector<std::pair<std::string, SyncEvent>> events{
      {"opened_none", DirectoryOpened{std::optional<std::string>()}},
      {"opened_tree", DirectoryOpened{std::optional<std::string>(wanted_hash)}},
      {"open_failed", DirectoryOpened{sync_error()}},
      {"up", ConnectionUp{false}},
      {"lost", ConnectionLost{false}},
      {"lost_by_large_frame", ConnectionLost{true}},
      {"wanted_same", PackagesWanted{wanted_hash}},
      {"wanted_other", PackagesWanted{other_hash}},
      {"wanted_none", PackagesWanted{std::nullopt}},
      {"manifest", ManifestCame{sync_manifest()}},
      {"manifest_of_other", ManifestCame{sync_manifest(other_hash)}},
      {"blob", BlobCame{{"i1", "AAAA"}}},
      {"blob_of_other", BlobCame{{"i9", "AAAA"}}},
      {"blob_none", BlobCame{{"i1", std::nullopt}}},
      {"late", ReplyLate{}},
      {"retry", RetryDue{}},
      {"tree_there", TreeLookedFor{true}},
      {"tree_not_there", TreeLookedFor{false}},
      {"look_failed", TreeLookedFor{sync_error()}},
      {"compared_two",
       ManifestCompared{ManifestCompared::Missing{{wanted_hash, sync_manifest().entries}, {0, 1}}}},
      {"compared_none",
       ManifestCompared{ManifestCompared::Missing{{wanted_hash, sync_manifest().entries}, {}}}},
      {"compare_failed", ManifestCompared{sync_error()}},
      {"taken", BlobTaken{Result<void>()}},
      {"take_failed", BlobTaken{sync_error()}},
      {"built", TreeBuilt{Result<void>()}},
      {"build_failed", TreeBuilt{sync_error()}}};
  return events;
}

SyncEvent sync_event(const std::string& word) {
  for (const auto& [name, event] : sync_events()) {
    if (name == word) return event;
  }
  throw std::logic_error(word);
}

const char* sync_word(SyncState state) {
  constexpr std::array<const char*, sync_state_count> words{
      "closed",    "opening",       "idle",        "waiting", "looking", "awaiting_manifest",
      "comparing", "awaiting_blob", "taking_blob", "building"};
  return words.at(static_cast<std::size_t>(state));
}

std::string hash_word(const std::optional<std::string>& hash) {
  return !hash ? "none" : *hash == wanted_hash ? "A" : *hash == other_hash ? "B" : "?";
}

struct SyncWords {
  std::string operator()(const Say& action) const { return std::visit(*this, action.message); }
  std::string operator()(const protocol::ScriptPackageSyncState& state) const {
    constexpr const char* words[] = {"pending", "syncing", "ready", "error"};
    return std::string("say ") + words[static_cast<int>(state.status)] + " " +
           hash_word(state.lockfile_hash);
  }
  std::string operator()(const protocol::RequestScriptPackageManifest& request) const {
    return "ask list " + hash_word(request.lockfile_hash);
  }
  std::string operator()(const protocol::RequestScriptPackageBlob& request) const {
    return "ask blob " + request.integrity;
  }
  std::string operator()(const ArmReply& action) const {
    return "reply in " + std::to_string(action.in.count());
  }
  std::string operator()(const DisarmReply&) const { return "disarm"; }
  std::string operator()(const ArmRetry& action) const {
    return "retry in " + std::to_string(action.in.count());
  }
  std::string operator()(const LogSync&) const { return {}; }
  std::string operator()(const OpenDirectory&) const { return "open"; }
  std::string operator()(const LookForTree& action) const {
    return "look " + hash_word(action.lockfile_hash);
  }
  std::string operator()(const CompareManifest&) const { return "compare"; }
  std::string operator()(const TakeBlob& action) const { return "take " + action.package.name; }
  std::string operator()(const BuildTree&) const { return "build"; }
  std::string operator()(const UseTree& action) const {
    return "use " + hash_word(action.lockfile_hash);
  }
};

std::string in_sync_words(const SyncMachine& machine, const SyncActions& actions) {
  std::string text = sync_word(machine.state());
  for (const SyncAction& action : actions) {
    const std::string word = std::visit(SyncWords{}, action);
    if (!word.empty()) text += "; " + word;
  }
  return text;
}

SyncMachine::Moment at(std::chrono::seconds since) {
  return {SyncMachine::Time{1h} + since, 0.5};
}

/// What the machine does about these, one after the other; the last one's actions.
std::string after(SyncMachine& machine, const std::vector<std::string>& events) {
  std::string last;
  for (const std::string& event : events) {
    last = in_sync_words(machine, machine.on(sync_event(event), at(0s)));
  }
  return last;
}

/// The way to each state, with packages A wanted and connected from `idle` on.
const std::map<SyncState, std::vector<std::string>>& ways() {
  using enum SyncState;
  static const std::map<SyncState, std::vector<std::string>> all{
      {opening, {}},
      {closed, {"open_failed"}},
      {idle, {"opened_none", "up"}},
      {looking, {"opened_none", "up", "wanted_same"}},
      {awaiting_manifest, {"opened_none", "up", "wanted_same", "tree_not_there"}},
      {waiting, {"opened_none", "up", "wanted_same", "tree_not_there", "late"}},
      {comparing, {"opened_none", "up", "wanted_same", "tree_not_there", "manifest"}},
      {awaiting_blob,
       {"opened_none", "up", "wanted_same", "tree_not_there", "manifest", "compared_two"}},
      {taking_blob,
       {"opened_none", "up", "wanted_same", "tree_not_there", "manifest", "compared_two", "blob"}},
      {building,
       {"opened_none", "up", "wanted_same", "tree_not_there", "manifest", "compared_none"}}};
  return all;
}

SyncMachine machine_in(SyncState state) {
  SyncMachine machine;
  machine.start();
  after(machine, ways().at(state));
  REQUIRE(machine.state() == state);
  return machine;
}

/// What each event does in each state. An event that is not named does nothing.
const std::map<SyncState, std::map<std::string, std::string>>& sync_table();

}  // namespace

TEST_CASE("every event in every state of the synchronisation does what the table says") {
  std::size_t cells = 0;
  for (const auto& [state, way] : ways()) {
    for (const auto& [word, event] : sync_events()) {
      SyncMachine machine = machine_in(state);
      const std::string done = in_sync_words(machine, machine.on(event, at(0s)));
      const auto& row = sync_table().at(state);
      const auto expected = row.find(word);
      INFO(sync_word(state) << ", " << word);
      CHECK(done == (expected == row.end() ? std::string(sync_word(state)) : expected->second));
      ++cells;
    }
    // A cell whose event has another name would be checked by nobody.
    for (const auto& [word, done] : sync_table().at(state)) CHECK_NOTHROW(sync_event(word));
  }
  CHECK(cells == sync_state_count * sync_events().size());
}

TEST_CASE("packages are fetched one after the other, then placed, then in use") {
  SyncMachine machine = machine_in(SyncState::idle);
  CHECK(machine.is_ready());
  CHECK(after(machine, {"wanted_same"}) == "looking; look A");
  CHECK_FALSE(machine.is_ready());
  CHECK(after(machine, {"tree_not_there"}) ==
        "awaiting_manifest; say syncing A; ask list A; reply in 30");
  CHECK(after(machine, {"manifest"}) == "comparing; disarm; compare");
  CHECK(after(machine, {"compared_two"}) == "awaiting_blob; ask blob i1; reply in 60");
  CHECK(machine.why_not_ready() == "expected aaaaaaaaaaaa, present none (0 of 2 packages fetched)");
  CHECK(after(machine, {"blob"}) == "taking_blob; disarm; take x");
  CHECK(after(machine, {"taken"}) == "awaiting_blob; ask blob i2; reply in 60");
  CHECK(machine.why_not_ready() == "expected aaaaaaaaaaaa, present none (1 of 2 packages fetched)");
  machine.on(BlobCame{{"i2", "AAAA"}}, at(0s));
  CHECK(after(machine, {"taken"}) == "building; build");
  CHECK(after(machine, {"built"}) == "idle; use A; say ready A");
  CHECK(machine.is_ready());
  CHECK(machine.present() == wanted_hash);
}

TEST_CASE("a later wish ends the work for an older one with the step under way") {
  for (const SyncState state : {SyncState::looking, SyncState::comparing, SyncState::awaiting_blob,
                                SyncState::taking_blob, SyncState::building}) {
    const std::map<SyncState, std::string> ends{{SyncState::looking, "tree_there"},
                                                {SyncState::comparing, "compared_two"},
                                                {SyncState::awaiting_blob, "late"},
                                                {SyncState::taking_blob, "take_failed"},
                                                {SyncState::building, "built"}};
    INFO(sync_word(state));
    SyncMachine machine = machine_in(state);
    CHECK(after(machine, {"wanted_other"}) == sync_word(state));
    CHECK(after(machine, {ends.at(state)}) == "looking; look B");
    SyncMachine none = machine_in(state);
    after(none, {"wanted_none"});
    CHECK_FALSE(none.wants_tree());
    CHECK(after(none, {ends.at(state)}) == "idle; say ready none");
  }
}

TEST_CASE("after a failure the next attempt waits longer, and a push does not wait") {
  SyncMachine machine = machine_in(SyncState::looking);
  const std::vector<std::string> waits{"5000",  "10000",  "20000",  "40000",
                                       "80000", "160000", "300000", "300000"};
  for (const std::string& wait : waits) {
    CHECK(after(machine, {"look_failed"}) == "waiting; disarm; say error A; retry in " + wait);
    CHECK(after(machine, {"retry"}) == "looking; look A");
  }
  CHECK(after(machine, {"look_failed", "wanted_same"}) == "looking; look A");
  CHECK(after(machine, {"look_failed", "lost", "up"}) == "looking; look A");
  CHECK(after(machine, {"tree_there"}) == "idle; use A; say ready A");
  CHECK(machine.last_error().empty());
  CHECK(after(machine, {"wanted_other", "look_failed"}) ==
        "waiting; disarm; say error B; retry in 5000");
  CHECK(machine.present() == wanted_hash);
  CHECK(machine.why_not_ready() ==
        "expected bbbbbbbbbbbb, present aaaaaaaaaaaa; last error: broken");
}

TEST_CASE("a package that no frame can carry is never asked for again") {
  SyncMachine machine = machine_in(SyncState::awaiting_blob);
  machine.on(ConnectionLost{true}, at(0s));
  CHECK(machine.is_hopeless());
  CHECK(machine.last_error() == "Script package x@1.0.0: larger than a frame can carry (12 MiB)");
  CHECK(after(machine, {"retry"}) == "waiting");
  machine.on(ConnectionUp{true}, at(0s));
  CHECK(after(machine, {"wanted_same"}) == "looking; look A");
  CHECK(after(machine, {"tree_not_there"}) == "waiting; say error A");
  // Other packages are tried, and these again if they came to be there by other means.
  CHECK(after(machine, {"wanted_other"}) == "looking; look B");
  CHECK(after(machine, {"tree_there", "wanted_same", "tree_there"}) == "idle; use A; say ready A");
}

TEST_CASE("what was in use before a restart is wanted until the core says otherwise") {
  SyncMachine machine;
  machine.start();
  CHECK(after(machine, {"opened_tree"}) == "idle");
  CHECK(machine.is_ready());
  CHECK(machine.wanted() == wanted_hash);
  CHECK(after(machine, {"up"}) == "idle");
  CHECK(machine.is_ready());
  CHECK(after(machine, {"wanted_none"}) == "idle; use none; say ready none");
  CHECK_FALSE(machine.wants_tree());

  SyncMachine told;
  told.start();
  after(told, {"up", "wanted_other"});
  CHECK(after(told, {"opened_tree"}) == "looking; look B");
  CHECK_FALSE(told.is_ready());
}

TEST_CASE("a tree in use that turns out damaged is in use no more") {
  SyncMachine machine = machine_in(SyncState::idle);
  after(machine, {"wanted_same", "tree_there"});
  REQUIRE(machine.is_ready());
  after(machine, {"wanted_same", "tree_not_there"});
  CHECK_FALSE(machine.is_ready());
  CHECK_FALSE(machine.present());
}

TEST_CASE("syncing is said at most every five seconds") {
  SyncMachine machine = machine_in(SyncState::taking_blob);
  std::map<std::string, int> said;
  for (int second = 0; second < 20; ++second) {
    SyncMachine copy = machine;
    const std::string done =
        in_sync_words(copy, copy.on(BlobTaken{Result<void>()}, at(std::chrono::seconds(second))));
    ++said[done];
  }
  CHECK(said["awaiting_blob; ask blob i2; reply in 60"] == 5);
  CHECK(said["awaiting_blob; say syncing A; ask blob i2; reply in 60"] == 15);
}

namespace {

const std::map<SyncState, std::map<std::string, std::string>>& sync_table() {
  using enum SyncState;
  static const std::map<SyncState, std::map<std::string, std::string>> table{
      {closed,
       {{"wanted_same", "opening; open"},
        {"wanted_other", "opening; open"},
        {"wanted_none", "closed; say ready none"},
        {"retry", "opening; open"}}},
      {opening,
       {{"opened_none", "idle"},
        {"opened_tree", "idle"},
        {"open_failed", "closed; retry in 5000"}}},
      {idle,
       {{"wanted_same", "looking; look A"},
        {"wanted_other", "looking; look B"},
        {"wanted_none", "idle; say ready none"}}},
      {waiting,
       {{"up", "looking; look A"},
        {"wanted_same", "looking; look A"},
        {"wanted_other", "looking; look B"},
        {"wanted_none", "idle; say ready none"},
        {"retry", "looking; look A"}}},
      {looking,
       {{"tree_there", "idle; use A; say ready A"},
        {"tree_not_there", "awaiting_manifest; say syncing A; ask list A; reply in 30"},
        {"look_failed", "waiting; disarm; say error A; retry in 5000"}}},
      {awaiting_manifest,
       {{"lost", "waiting; disarm"},
        {"lost_by_large_frame", "waiting; disarm; say error A"},
        {"wanted_other", "looking; disarm; look B"},
        {"wanted_none", "idle; disarm; say ready none"},
        {"manifest", "comparing; disarm; compare"},
        {"late", "waiting; disarm; say error A; retry in 5000"}}},
      {comparing,
       {{"compared_two", "awaiting_blob; ask blob i1; reply in 60"},
        {"compared_none", "building; build"},
        {"compare_failed", "waiting; disarm; say error A; retry in 5000"}}},
      {awaiting_blob,
       {{"lost", "waiting; disarm"},
        {"lost_by_large_frame", "waiting; disarm; say error A"},
        {"blob", "taking_blob; disarm; take x"},
        {"blob_none", "waiting; disarm; disarm; say error A; retry in 5000"},
        {"late", "waiting; disarm; say error A; retry in 5000"}}},
      {taking_blob,
       {{"taken", "awaiting_blob; ask blob i2; reply in 60"},
        {"take_failed", "waiting; disarm; say error A; retry in 5000"}}},
      {building,
       {{"built", "idle; use A; say ready A"},
        {"build_failed", "waiting; disarm; say error A; retry in 5000"}}},
  };
  return table;
}

}  // namespace
