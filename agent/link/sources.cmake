target_sources(satellite_agent PRIVATE
  ${CMAKE_CURRENT_LIST_DIR}/core_url.cpp
  ${CMAKE_CURRENT_LIST_DIR}/cut_at.cpp
  ${CMAKE_CURRENT_LIST_DIR}/heartbeat_policy.cpp
  ${CMAKE_CURRENT_LIST_DIR}/reconnect_policy.cpp
  ${CMAKE_CURRENT_LIST_DIR}/resolve.cpp
  ${CMAKE_CURRENT_LIST_DIR}/retry_after.cpp
  ${CMAKE_CURRENT_LIST_DIR}/route_probe.cpp
  ${CMAKE_CURRENT_LIST_DIR}/tcp_connect.cpp
  ${CMAKE_CURRENT_LIST_DIR}/websocket_errors.cpp
  ${CMAKE_CURRENT_LIST_DIR}/websocket_link.cpp
  ${CMAKE_CURRENT_LIST_DIR}/websocket_plain.cpp
)
