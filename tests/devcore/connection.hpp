#pragma once

#include "tests/devcore/channel.hpp"
#include "tests/devcore/core_state.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <deque>
#include <map>
#include <string>

namespace satellite::devcore {

/// One satellite, from the accepted TCP connection to its end. Lives on the core's thread.
class Connection {
 public:
  Connection(boost::asio::io_context& context, CoreState& state, std::uint64_t number,
             ConnectionPlan plan);

  /// Returns when the connection is over; `context_tls` is null for plain connections.
  boost::asio::awaitable<void> run(boost::asio::ip::tcp::socket socket,
                                   boost::asio::ssl::context* context_tls);

  void send(std::string text);
  /// Acknowledges everything that came so far.
  void acknowledge_all();
  void misbehave(Misbehaviour misbehaviour);
  /// Ends it, whatever it is doing.
  void cut();

  bool is_authenticated() const { return authenticated_; }
  const std::string& client_id() const { return client_id_; }

 private:
  boost::asio::awaitable<void> misbehave_at_connect(boost::asio::ip::tcp::socket& socket);
  boost::asio::awaitable<void> drip(boost::asio::ip::tcp::socket& socket);
  boost::asio::awaitable<void> read_frames();
  boost::asio::awaitable<void> write_frames();
  boost::asio::awaitable<void> write_next();
  boost::asio::awaitable<void> write_while_stalled();
  boost::asio::awaitable<void> rest();
  void receive(std::string_view text);
  void authenticate(const protocol::Authenticate& message);
  void acknowledge(const protocol::AgentMessage& message);
  void finish();
  void tell(const std::string& event);

  struct Unacknowledged {
    std::uint64_t frames = 0, bytes = 0;
  };

  CoreState& state_;
  const std::uint64_t number_;
  ConnectionPlan plan_;
  boost::asio::ip::tcp::socket* raw_socket_ = nullptr;
  std::unique_ptr<Channel> channel_;
  boost::asio::steady_timer news_;  // wakes the writer
  boost::asio::steady_timer rest_;  // wakes the reader that stalls
  std::deque<std::string> queue_;
  std::map<std::string, Unacknowledged> unacknowledged_;
  std::string client_id_;
  std::uint16_t close_code_ = 0;  // asked for, not yet sent
  bool authenticated_ = false, stalled_ = false, chatters_ = false, reader_rests_ = false;
  bool finished_ = false, written_ = false;  // written_: nothing more will be sent
  bool fragments_without_end_ = false, forgotten_ = false, sends_binary_ = false;
  bool cuts_last_ = false;  // the frame that was queued last is broken off in its middle
};

}  // namespace satellite::devcore
