#pragma once

#include "agent/runtime/log.hpp"
#include "agent/runtime/notification.hpp"
#include "agent/storage/check_state_file.hpp"
#include "agent/storage/store.hpp"
#include "protocol/vocabulary/byte_count.hpp"
#include "sandbox/state/state_file.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace satellite::agent {

/// What checks keep between their runs (`host_view.state`): one packed file for each collector of a
/// check in an environment, in a directory of the state directory.
///
/// Shape:  a run takes a loan, which holds the state of before in memory, and gives it back with
///         the new one or without. All of the disk is done by its thread; a disk that does not
///         answer costs a run five seconds at most and its state, never the run. Files that no
///         check of the core's set has any more are removed, and all of them where no check is
///         granted any; what cannot be read, and what another version wrote, stays.
/// Errors: none thrown; what is not kept is said in the report of the run or, later, in the log.
class CheckStates {
 public:
  struct Place {
    std::string directory;  ///< empty = nothing is kept
    std::string why_not;    ///< then, for a report
  };
  /// Together; a disk of an ordinary host has no trouble with either.
  static constexpr std::size_t count_max = 4'096;
  static constexpr ByteCount bytes_max{std::uint64_t{1} << 30U};

  /// `size_max` is that of one state; 0 = no check is granted any.
  CheckStates(boost::asio::io_context& context, Log& log, Store& store, Place place,
              ByteCount size_max);
  CheckStates(const CheckStates&) = delete;
  CheckStates& operator=(const CheckStates&) = delete;

  /// Looks for what is there.
  void open();

  /// One run's share. Destroying it without give_back leaves the state as it was.
  class Loan {
   public:
    Loan() = default;
    Loan(Loan&& other) noexcept;
    Loan& operator=(Loan&&) = delete;
    ~Loan();

    /// For RunRequest::state; nothing where no check is granted any.
    const std::optional<sandbox::KeptState>& state() const { return state_; }
    /// `has_new_state` as in the run's result.
    void give_back(bool has_new_state);

   private:
    friend class CheckStates;
    CheckStates* states_ = nullptr;  ///< null = nothing of the run is kept
    std::uint64_t number_ = 0;
    StateKey key_;
    std::string digest_before_;
    std::optional<sandbox::KeptState> state_;
  };
  boost::asio::awaitable<Loan> take(StateKey key);

  /// Removes what belongs to checks that are not wanted any more.
  void collect(std::function<bool(const std::string& check)> is_wanted);
  /// The same for collectors of a check that are not among these.
  void collect_others(const std::string& check, const std::vector<std::string>& collectors);
  std::size_t count() const { return sizes_.size(); }

 private:
  struct Listing;
  struct Reading;
  struct Writing;

  boost::asio::awaitable<bool> until_listed();
  boost::asio::awaitable<void> read_into(Loan& loan);
  static void begin_with_nothing(Loan& loan, std::string why_not_kept);
  void keep(const StateKey& key, const std::string& digest_before, const sandbox::KeptState& state);
  void forget(const std::vector<StateKey>& keys);
  void tell_not_kept(const StateKey& key, const std::string& why);
  std::string path_of(const StateKey& key) const;

  boost::asio::io_context& context_;
  Log& log_;
  Store& store_;
  const Place place_;
  const ByteCount size_max_;
  bool is_listed_ = false;
  bool is_whole_ = true;  ///< no file can be there that sizes_ lacks
  Notification listed_;
  std::map<StateKey, std::uint64_t> sizes_;  ///< of what is on the disk, or on its way there
  ByteCount bytes_;                          ///< of all these
  std::map<StateKey, std::uint64_t> lent_;   ///< by the number of the loan
  std::uint64_t next_loan_ = 1;
  std::function<bool(const std::string&)> collects_;  ///< as soon as it is known what is there
};

}  // namespace satellite::agent
