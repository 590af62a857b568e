# When it is checked.
target_sources(satellite_agent PRIVATE
  schedule/expand_runs.cpp
  schedule/scheduler.cpp
  schedule/timetable.cpp
)
