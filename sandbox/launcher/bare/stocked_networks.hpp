#pragma once

namespace satellite::sandbox::bare {

/// What the process that makes network namespaces for the stock is asked for.
struct NetworksWanted {
  int count = 0;
  int socket = -1;                         ///< one message for each, with its descriptor
  int user_namespace = -1;                 ///< that they are to be made in; -1 = its own
  const char* ping_group_range = nullptr;  ///< of them, in such a user namespace: "1000 1000"
};

/// Its life; never returns.
///
/// Shape:  each has nothing but a loopback interface that is up. They outlive this process in the
///         descriptors that it sends.
/// Errors: it ends, with those that it has sent.
[[noreturn]] void make_networks(const NetworksWanted& wanted);

/// The same for clone_on_stack: `wanted` is a NetworksWanted.
void begin_making_networks(const void* wanted);

}  // namespace satellite::sandbox::bare
