#include "agent/storage/store_file.hpp"

#include "agent/storage/frame_hash.hpp"
#include "protocol/vocabulary/unique_fd.hpp"

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>

#include <array>
#include <cerrno>

// The only file that knows SQLite. A failed call leaves its code behind and makes all that follow
// do nothing, so that a transaction is read from top to bottom and judged once, at its end.

namespace satellite::agent {
namespace {

constexpr int schema_version = 1;
constexpr const char* schema = R"(
CREATE TABLE messages(seq INTEGER PRIMARY KEY, lane INTEGER NOT NULL, at INTEGER NOT NULL,
                      size INTEGER NOT NULL, hash INTEGER NOT NULL);
CREATE TABLE frames(seq INTEGER PRIMARY KEY, frame BLOB NOT NULL);
CREATE TABLE gap(one INTEGER PRIMARY KEY CHECK(one = 1), count INTEGER NOT NULL,
                 since INTEGER NOT NULL, until INTEGER NOT NULL);
CREATE TABLE runs(number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, accepted_at INTEGER NOT NULL,
                  seq_bound INTEGER NOT NULL, finished INTEGER NOT NULL, delivered INTEGER NOT NULL);
CREATE TABLE run_ends(number INTEGER PRIMARY KEY, seq INTEGER NOT NULL, frame BLOB NOT NULL);
CREATE TABLE run_messages(run TEXT NOT NULL, seq INTEGER NOT NULL, bytes BLOB NOT NULL,
                          UNIQUE(run, seq));
PRAGMA user_version = 1;
)";

// The ends of runs answer `query_script`; the ids matter more and stay much longer.
constexpr std::int64_t run_ends_size_max = 64 << 20;

ErrorCode code_of(int result) {
  switch (result & 0xff) {
    case SQLITE_FULL:
      return ErrorCode::limit_exceeded;
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH:
      return ErrorCode::not_permitted;
    case SQLITE_NOMEM:
      return ErrorCode::unavailable;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_SCHEMA:
    case SQLITE_MISMATCH:
      return ErrorCode::invalid_input;
    default:
      return ErrorCode::io_failed;
  }
}

std::int64_t as_signed(std::uint64_t number) {
  return static_cast<std::int64_t>(number);
}
std::uint64_t as_unsigned(std::int64_t number) {
  return static_cast<std::uint64_t>(number);
}

enum Query : std::size_t {
  begin_transaction,
  commit_transaction,
  put_message,
  put_frame,
  remove_message,
  remove_frame,
  set_gap,
  accept_run,
  raise_seq_bound,
  finish_run,
  put_run_end,
  oldest_run_end,
  remove_run_end,
  deliver_run,
  forget_runs,
  forget_run_ends,
  put_run_message,
  remove_run_messages,
  remove_all_run_messages,
  query_count,
};
constexpr std::array<const char*, query_count> queries{
    "BEGIN IMMEDIATE",
    "COMMIT",
    "INSERT OR REPLACE INTO messages VALUES(?1,?2,?3,?4,?5)",
    "INSERT OR REPLACE INTO frames VALUES(?1,?2)",
    "DELETE FROM messages WHERE seq=?1",
    "DELETE FROM frames WHERE seq=?1",
    "INSERT OR REPLACE INTO gap VALUES(1,?1,?2,?3)",
    "INSERT OR IGNORE INTO runs(id,accepted_at,seq_bound,finished,delivered) VALUES(?1,?2,?3,0,0)",
    "UPDATE runs SET seq_bound=?2 WHERE id=?1",
    "UPDATE runs SET finished=1 WHERE id=?1",
    "INSERT OR REPLACE INTO run_ends SELECT number,?2,?3 FROM runs WHERE id=?1",
    "SELECT number,length(frame) FROM run_ends ORDER BY number LIMIT 1",
    "DELETE FROM run_ends WHERE number=?1",
    "INSERT INTO runs(id,accepted_at,seq_bound,finished,delivered) VALUES(?1,?2,0,1,1) "
    "ON CONFLICT(id) DO UPDATE SET finished=1, delivered=1",
    "DELETE FROM runs WHERE delivered=1 AND (accepted_at<?1 OR number<=(SELECT number FROM runs "
    "ORDER BY number DESC LIMIT 1 OFFSET ?2))",
    "DELETE FROM run_ends WHERE number NOT IN (SELECT number FROM runs)",
    "INSERT OR REPLACE INTO run_messages VALUES(?1,?2,?3)",
    "DELETE FROM run_messages WHERE run=?1 AND seq<=?2",
    "DELETE FROM run_messages WHERE run=?1",
};

/// One execution of a prepared statement; reset when it goes out of scope.
class Execution {
 public:
  Execution(sqlite3_stmt* statement, int& result) : statement_(statement), result_(result) {}
  ~Execution() {
    if (statement_ == nullptr) return;
    sqlite3_reset(statement_);
    sqlite3_clear_bindings(statement_);
  }
  Execution(const Execution&) = delete;
  Execution& operator=(const Execution&) = delete;

  Execution& number(int place, std::int64_t value) {
    if (statement_ != nullptr) sqlite3_bind_int64(statement_, place, value);
    return *this;
  }
  /// Borrowed until the execution ends.
  Execution& text(int place, const std::string& value) {
    if (statement_ != nullptr) {
      sqlite3_bind_text(statement_, place, value.data(), static_cast<int>(value.size()),
                        SQLITE_STATIC);
    }
    return *this;
  }
  Execution& blob(int place, const std::string& value) {
    if (statement_ != nullptr) {
      sqlite3_bind_blob(statement_, place, value.data(), static_cast<int>(value.size()),
                        SQLITE_STATIC);
    }
    return *this;
  }
  /// True while there is a row.
  bool step() {
    if (statement_ == nullptr || result_ != SQLITE_OK) return false;
    const int stepped = sqlite3_step(statement_);
    if (stepped == SQLITE_ROW) return true;
    if (stepped != SQLITE_DONE) result_ = stepped;
    return false;
  }
  std::int64_t number_at(int column) { return sqlite3_column_int64(statement_, column); }
  std::string bytes_at(int column) {
    const void* const bytes = sqlite3_column_blob(statement_, column);
    const auto size = static_cast<std::size_t>(sqlite3_column_bytes(statement_, column));
    return bytes == nullptr ? std::string() : std::string(static_cast<const char*>(bytes), size);
  }

 private:
  sqlite3_stmt* statement_;
  int& result_;
};

}  // namespace

struct StoreFile::Connection {
  ~Connection() {
    for (sqlite3_stmt* statement : prepared) sqlite3_finalize(statement);
    sqlite3_close_v2(handle);
  }

  void execute(const char* sql) {
    if (result == SQLITE_OK) result = sqlite3_exec(handle, sql, nullptr, nullptr, nullptr);
  }
  Execution run(Query query) {
    sqlite3_stmt*& statement = prepared.at(query);
    if (statement == nullptr && result == SQLITE_OK) {
      result = sqlite3_prepare_v3(handle, queries.at(query), -1, SQLITE_PREPARE_PERSISTENT,
                                  &statement, nullptr);
    }
    return Execution(statement, result);
  }
  /// What happened since the last verdict.
  Result<void> verdict(const char* what) {
    if (result == SQLITE_OK) return {};
    const int code = std::exchange(result, SQLITE_OK);
    std::string message = std::string(what) + ": " + sqlite3_errstr(code);
    const int system = sqlite3_system_errno(handle);
    if (code_of(code) != ErrorCode::invalid_input && system != 0) {
      message = error_from_errno(message, system).message;
    }
    return Error{code_of(code), std::move(message)};
  }
  /// The verdict on a transaction: one that failed is undone.
  Result<void> settle(const char* what) {
    auto settled = verdict(what);
    if (!settled && sqlite3_get_autocommit(handle) == 0) {
      sqlite3_exec(handle, "ROLLBACK", nullptr, nullptr, nullptr);
    }
    return settled;
  }
  void apply(const PutMessage& change);
  void apply(const RemoveMessages& change);
  void apply(const SetGap& change);
  void apply(const AcceptRun& change);
  void apply(const RaiseSeqBound& change);
  void apply(const FinishRun& change);
  void apply(const DeliverRun& change);
  void apply(const ForgetRuns& change);
  void apply(const PutRunMessages& change);
  void apply(const RemoveRunMessages& change);
  std::int64_t number_of(const char* sql);
  /// `take` says whether it wants another row.
  template <typename Bind, typename Take>
  void each_row(const char* sql, const Bind& bind, const Take& take);

  sqlite3* handle = nullptr;
  std::array<sqlite3_stmt*, query_count> prepared{};
  int result = SQLITE_OK;
  std::int64_t run_ends_size = 0;
};

void StoreFile::Connection::apply(const PutMessage& change) {
  const MessageFacts& facts = change.facts;
  run(put_message)
      .number(1, as_signed(facts.seq))
      .number(2, static_cast<std::int64_t>(facts.lane))
      .number(3, facts.at)
      .number(4, facts.size)
      .number(5, as_signed(frame_hash(change.frame)))
      .step();
  run(put_frame).number(1, as_signed(facts.seq)).blob(2, change.frame).step();
}

void StoreFile::Connection::apply(const RemoveMessages& change) {
  for (const std::uint64_t seq : change.seqs) {
    run(remove_message).number(1, as_signed(seq)).step();
    run(remove_frame).number(1, as_signed(seq)).step();
  }
}

void StoreFile::Connection::apply(const SetGap& change) {
  run(set_gap)
      .number(1, as_signed(change.gap.count))
      .number(2, change.gap.since)
      .number(3, change.gap.until)
      .step();
}

void StoreFile::Connection::apply(const AcceptRun& change) {
  run(accept_run)
      .text(1, change.id.text)
      .number(2, change.at)
      .number(3, as_signed(change.seq_bound))
      .step();
}

void StoreFile::Connection::apply(const RaiseSeqBound& change) {
  run(raise_seq_bound).text(1, change.id.text).number(2, as_signed(change.seq_bound)).step();
}

void StoreFile::Connection::apply(const FinishRun& change) {
  run(finish_run).text(1, change.id.text).step();
  run(put_run_end)
      .text(1, change.id.text)
      .number(2, as_signed(change.seq))
      .blob(3, change.frame)
      .step();
  run_ends_size += static_cast<std::int64_t>(change.frame.size());
  while (run_ends_size > run_ends_size_max && result == SQLITE_OK) {
    std::int64_t oldest = 0;
    {
      Execution look = run(oldest_run_end);
      if (!look.step()) break;
      oldest = look.number_at(0);
      run_ends_size -= look.number_at(1);
    }
    run(remove_run_end).number(1, oldest).step();
  }
}

void StoreFile::Connection::apply(const DeliverRun& change) {
  run(deliver_run).text(1, change.id.text).number(2, change.at).step();
  run(remove_all_run_messages).text(1, change.id.text).step();
}

void StoreFile::Connection::apply(const ForgetRuns& change) {
  run(forget_runs)
      .number(1, change.accepted_before)
      .number(2, static_cast<std::int64_t>(change.count_max))
      .step();
  run(forget_run_ends).step();
  run_ends_size = number_of("SELECT coalesce(sum(length(frame)),0) FROM run_ends");
}

void StoreFile::Connection::apply(const PutRunMessages& change) {
  for (const StoredRunMessage& message : change.messages) {
    run(put_run_message)
        .text(1, change.id.text)
        .number(2, as_signed(message.seq))
        .blob(3, message.bytes)
        .step();
  }
}

void StoreFile::Connection::apply(const RemoveRunMessages& change) {
  run(remove_run_messages).text(1, change.id.text).number(2, as_signed(change.through)).step();
}

template <typename Bind, typename Take>
void StoreFile::Connection::each_row(const char* sql, const Bind& bind, const Take& take) {
  sqlite3_stmt* statement = nullptr;
  if (result == SQLITE_OK) result = sqlite3_prepare_v2(handle, sql, -1, &statement, nullptr);
  {
    Execution look(statement, result);
    bind(look);
    while (look.step() && take(look)) {
    }
  }
  sqlite3_finalize(statement);
}

std::int64_t StoreFile::Connection::number_of(const char* sql) {
  std::int64_t number = 0;
  each_row(
      sql, [](Execution&) {},
      [&number](Execution& row) {
        number = row.number_at(0);
        return false;
      });
  return number;
}

StoreFile::StoreFile(std::unique_ptr<Connection> connection) : connection_(std::move(connection)) {}
StoreFile::~StoreFile() = default;

Result<std::unique_ptr<StoreFile>> StoreFile::open(const Settings& settings) {
  // Before SQLite does: its own default is readable for all, and WAL and journal copy the mode.
  const UniqueFd file(
      ::open(settings.path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!file) {
    const int failure = errno;
    Error error = error_from_errno("open " + settings.path, failure);
    if (failure == EDQUOT) error.code = ErrorCode::limit_exceeded;
    if (failure == EMFILE || failure == ENFILE || failure == ENOMEM) {
      error.code = ErrorCode::unavailable;
    }
    return error;
  }
  auto connection = std::make_unique<Connection>();
  constexpr int flags =
      SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
  connection->result = sqlite3_open_v2(settings.path.c_str(), &connection->handle, flags,
                                       settings.vfs.empty() ? nullptr : settings.vfs.c_str());
  // Exclusive: no shared memory file, and nobody else ever writes. A page cache beyond what one
  // transaction touches would only be resident memory.
  connection->execute(
      "PRAGMA locking_mode=EXCLUSIVE; PRAGMA auto_vacuum=INCREMENTAL; PRAGMA journal_mode=WAL;"
      "PRAGMA synchronous=NORMAL; PRAGMA cache_size=-256; PRAGMA temp_store=MEMORY;"
      "PRAGMA journal_size_limit=4194304; PRAGMA trusted_schema=OFF; PRAGMA cell_size_check=ON");
  const std::int64_t version = connection->number_of("PRAGMA user_version");
  if (connection->result == SQLITE_OK && version > schema_version) {
    return Error{
        ErrorCode::unsupported,
        settings.path + " was written by a later version (schema " + std::to_string(version) + ")"};
  }
  if (version == 0) {
    connection->execute("BEGIN IMMEDIATE");
    connection->execute(schema);
    connection->execute("COMMIT");
  }
  connection->run_ends_size =
      connection->number_of("SELECT coalesce(sum(length(frame)),0) FROM run_ends");
  const auto opened = connection->verdict("open the outbox");
  if (!opened) return opened.error();
  return std::unique_ptr<StoreFile>(new StoreFile(std::move(connection)));
}

Result<StoreSnapshot> StoreFile::load() {
  Connection& connection = *connection_;
  StoreSnapshot snapshot;
  const auto all = [](Execution&) {};
  connection.each_row(
      "SELECT seq,lane,size,at FROM messages ORDER BY seq", all, [&snapshot](Execution& row) {
        snapshot.messages.push_back(
            {as_unsigned(row.number_at(0)), row.number_at(1) == 0 ? Lane::control : Lane::results,
             static_cast<std::uint32_t>(row.number_at(2)), row.number_at(3)});
        return true;
      });
  connection.each_row("SELECT count,since,until FROM gap", all, [&snapshot](Execution& row) {
    snapshot.gap = {as_unsigned(row.number_at(0)), row.number_at(1), row.number_at(2)};
    return false;
  });
  connection.each_row(
      "SELECT id,accepted_at,seq_bound,finished,delivered FROM runs ORDER BY accepted_at,number",
      all, [&snapshot](Execution& row) {
        snapshot.runs.push_back({RunId(row.bytes_at(0)), row.number_at(1),
                                 as_unsigned(row.number_at(2)), row.number_at(3) != 0,
                                 row.number_at(4) != 0});
        return true;
      });
  const auto loaded = connection.verdict("read the outbox");
  if (!loaded) return loaded.error();
  return snapshot;
}

Result<void> StoreFile::apply(std::span<const StoreChange> changes) {
  Connection& connection = *connection_;
  connection.run(begin_transaction).step();
  for (const StoreChange& change : changes) {
    if (connection.result != SQLITE_OK) break;
    std::visit([&connection](const auto& one) { connection.apply(one); }, change);
  }
  connection.run(commit_transaction).step();
  return connection.settle("write to the outbox");
}

Result<void> StoreFile::try_writing() {
  Connection& connection = *connection_;
  connection.run(begin_transaction).step();
  // Page 1 is written even if the number in it stays the same.
  connection.execute("PRAGMA user_version = 1");
  connection.run(commit_transaction).step();
  return connection.settle("write to the outbox");
}

Result<void> StoreFile::sync() {
  sqlite3_file* log = nullptr;
  sqlite3_file_control(connection_->handle, "main", SQLITE_FCNTL_JOURNAL_POINTER, &log);
  // Before the first transaction there is no log, and nothing that could be lost.
  if (log == nullptr || log->pMethods == nullptr) return {};
  connection_->result = log->pMethods->xSync(log, SQLITE_SYNC_NORMAL);
  return connection_->verdict("sync the outbox");
}

Result<std::vector<StoredFrame>> StoreFile::read(const Page& page) {
  Connection& connection = *connection_;
  std::vector<StoredFrame> frames;
  std::size_t size = 0;
  connection.each_row(
      "SELECT m.seq,m.hash,f.frame FROM messages m JOIN frames f ON f.seq=m.seq "
      "WHERE m.seq>=?1 AND m.lane=?2 ORDER BY m.seq LIMIT ?3",
      [&page](Execution& look) {
        look.number(1, as_signed(page.first))
            .number(2, static_cast<std::int64_t>(page.lane))
            .number(3, static_cast<std::int64_t>(page.count_max));
      },
      [&](Execution& row) {
        StoredFrame frame{as_unsigned(row.number_at(0)), row.bytes_at(2)};
        size += frame.frame.size();
        const bool is_whole = frame_hash(frame.frame) == as_unsigned(row.number_at(1));
        if (is_whole) frames.push_back(std::move(frame));
        return size < page.size_max;
      });
  const auto read = connection.verdict("read from the outbox");
  if (!read) return read.error();
  return frames;
}

Result<StoredRunStream> StoreFile::read_run(const RunId& id) {
  Connection& connection = *connection_;
  StoredRunStream stream;
  const auto of_run = [&id](Execution& look) { look.text(1, id.text); };
  connection.each_row("SELECT seq,bytes FROM run_messages WHERE run=?1 ORDER BY seq", of_run,
                      [&stream](Execution& row) {
                        stream.messages.push_back({as_unsigned(row.number_at(0)), row.bytes_at(1)});
                        return true;
                      });
  connection.each_row(
      "SELECT frame,seq FROM run_ends WHERE number=(SELECT number FROM runs WHERE id=?1)", of_run,
      [&stream](Execution& row) {
        stream.finished_frame = row.bytes_at(0);
        stream.end_seq = as_unsigned(row.number_at(1));
        return false;
      });
  const auto read = connection.verdict("read a run from the outbox");
  if (!read) return read.error();
  return stream;
}

Result<bool> StoreFile::give_back_space() {
  constexpr std::int64_t free_pages_kept = 256;
  Connection& connection = *connection_;
  const std::int64_t before = connection.number_of("PRAGMA freelist_count");
  if (before > free_pages_kept) connection.execute("PRAGMA incremental_vacuum(256)");
  const auto given = connection.verdict("give back space of the outbox");
  if (!given) return given.error();
  return before > 2 * free_pages_kept;
}

}  // namespace satellite::agent
