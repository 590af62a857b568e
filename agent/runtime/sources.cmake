target_sources(satellite_agent PRIVATE
  ${CMAKE_CURRENT_LIST_DIR}/log.cpp
  ${CMAKE_CURRENT_LIST_DIR}/log_flush.cpp
  ${CMAKE_CURRENT_LIST_DIR}/log_line.cpp
  ${CMAKE_CURRENT_LIST_DIR}/log_output.cpp
  ${CMAKE_CURRENT_LIST_DIR}/loop_watch.cpp
  ${CMAKE_CURRENT_LIST_DIR}/random_id.cpp
  ${CMAKE_CURRENT_LIST_DIR}/stop_signal.cpp
  ${CMAKE_CURRENT_LIST_DIR}/task_group.cpp
)
