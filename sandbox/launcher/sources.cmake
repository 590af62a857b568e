# Included by sandbox/CMakeLists.txt: the launcher, the init of a run, the kernel wrappers, the door.
set(launcher_dir ${CMAKE_CURRENT_LIST_DIR})
get_filename_component(repository_dir ${launcher_dir}/../.. ABSOLUTE)

# The init program: freestanding and static, with exactly these flags whatever the preset says.
# Sanitizers and stack protectors need a runtime that pid 1 of a sandbox does not have.
set(init_program ${CMAKE_CURRENT_BINARY_DIR}/satellite-init)
set(init_sources
  ${launcher_dir}/child.cpp
  ${launcher_dir}/descendants.cpp
  ${launcher_dir}/hardening.cpp
  ${launcher_dir}/init.cpp
  ${launcher_dir}/init_block_map.cpp
  ${launcher_dir}/init_program.cpp
  ${launcher_dir}/receive_task.cpp)
add_custom_command(
  OUTPUT ${init_program}
  COMMAND ${CMAKE_CXX_COMPILER} -std=c++20 -O2 -ffreestanding -nostdlib -static -fno-pie
          -fno-exceptions -fno-rtti -fno-stack-protector -fno-asynchronous-unwind-tables
          -fno-threadsafe-statics -fno-builtin -Wall -Wextra -Wconversion -Werror
          $<$<NOT:$<CONFIG:Debug>>:-DNDEBUG>  # no fault injection in what is released
          -Wl,--build-id=none -Wl,-z,noexecstack -s
          -I${repository_dir} ${init_sources} -o ${init_program}
  DEPENDS ${init_sources}
          ${launcher_dir}/child.hpp
          ${launcher_dir}/descendants.hpp
          ${launcher_dir}/init.hpp
          ${launcher_dir}/init_block.hpp
          ${launcher_dir}/init_block_map.hpp
          ${launcher_dir}/hardening.hpp
          ${launcher_dir}/native_setup.hpp
          ${launcher_dir}/raw_syscall.hpp
          ${launcher_dir}/receive_task.hpp
          ${launcher_dir}/setup_attempt.hpp
  COMMENT "Linking the init program"
  COMMAND_EXPAND_LISTS
  VERBATIM)
set_source_files_properties(${launcher_dir}/init_image.cpp
  TARGET_DIRECTORY satellite_sandbox PROPERTIES
  OBJECT_DEPENDS ${init_program}
  COMPILE_DEFINITIONS "SATELLITE_INIT_PROGRAM=\"${init_program}\"")

target_sources(satellite_sandbox PRIVATE
  ${init_program}
  ${launcher_dir}/child.cpp
  ${launcher_dir}/descendants.cpp
  ${launcher_dir}/file_view.cpp
  ${launcher_dir}/hardening.cpp
  ${launcher_dir}/host_texts.cpp
  ${launcher_dir}/identity_pool.cpp
  ${launcher_dir}/init.cpp
  ${launcher_dir}/init_block_builder.cpp
  ${launcher_dir}/init_block_map.cpp
  ${launcher_dir}/init_entry.cpp
  ${launcher_dir}/init_image.cpp
  ${launcher_dir}/launched_run.cpp
  ${launcher_dir}/launched_run_killing.cpp
  ${launcher_dir}/launched_run_link.cpp
  ${launcher_dir}/launched_run_task.cpp
  ${launcher_dir}/launcher_link.cpp
  ${launcher_dir}/leave_agent.cpp
  ${launcher_dir}/network/links.cpp
  ${launcher_dir}/network/network_builder.cpp
  ${launcher_dir}/network/packet_filter_load.cpp
  ${launcher_dir}/network/route_table.cpp
  ${launcher_dir}/network/run_network.cpp
  ${launcher_dir}/network/run_networks.cpp
  ${launcher_dir}/network/slirp4netns.cpp
  ${launcher_dir}/launcher_process.cpp
  ${launcher_dir}/namespace_probe.cpp
  ${launcher_dir}/native_plan_codec.cpp
  ${launcher_dir}/native_preparation.cpp
  ${launcher_dir}/native_setup.cpp
  ${launcher_dir}/nsjail_directories.cpp
  ${launcher_dir}/network_order_codec.cpp
  ${launcher_dir}/order_codec.cpp
  ${launcher_dir}/posture.cpp
  ${launcher_dir}/receive_task.cpp
  ${launcher_dir}/records.cpp
  ${launcher_dir}/run_accounting.cpp
  ${launcher_dir}/run_endings.cpp
  ${launcher_dir}/run_preparation.cpp
  ${launcher_dir}/run_task.cpp
  ${launcher_dir}/scratch_removals.cpp
  ${launcher_dir}/setup_steps.cpp
  ${launcher_dir}/spawn.cpp
  ${launcher_dir}/verify.cpp
  ${launcher_dir}/wrapper_command.cpp
  ${launcher_dir}/../kernel/cgroup_home.cpp
  ${launcher_dir}/../kernel/cgroup_leaf.cpp
  ${launcher_dir}/../kernel/cgroup_text.cpp
  ${launcher_dir}/../kernel/cgroup_tree.cpp
  ${launcher_dir}/../kernel/memory_file.cpp
  ${launcher_dir}/../kernel/netlink.cpp
  ${launcher_dir}/../kernel/proc_facts.cpp
  ${launcher_dir}/../kernel/scratch_area.cpp
  ${launcher_dir}/../kernel/socket_messages.cpp
  ${launcher_dir}/../kernel/tree_removal.cpp
  ${launcher_dir}/../capture/capped_output.cpp
  ${launcher_dir}/../cancel_switch.cpp
  ${launcher_dir}/../probe.cpp
  ${launcher_dir}/../probing/cgroup.cpp
  ${launcher_dir}/../probing/egress.cpp
  ${launcher_dir}/../probing/engines.cpp
  ${launcher_dir}/../probing/filters.cpp
  ${launcher_dir}/../probing/host_signs.cpp
  ${launcher_dir}/../probing/identity.cpp
  ${launcher_dir}/../probing/probing.cpp
  ${launcher_dir}/../probing/programs.cpp
  ${launcher_dir}/../probing/remedies.cpp
  ${launcher_dir}/../probing/trial.cpp
  ${launcher_dir}/../run.cpp
  ${launcher_dir}/../running/ending.cpp
  ${launcher_dir}/../running/execution.cpp
  ${launcher_dir}/../running/lease_identity.cpp
  ${launcher_dir}/../running/limit_reached.cpp
  ${launcher_dir}/../running/prepared_runs.cpp
  ${launcher_dir}/../running/run_planner.cpp
  ${launcher_dir}/../running/stock.cpp
)

# Between clone and execve nothing may be instrumented: a child that borrows the launcher's memory
# leaves by exec and never cleans up what a sanitizer noted about its stack.
set_source_files_properties(
  ${launcher_dir}/child.cpp ${launcher_dir}/descendants.cpp ${launcher_dir}/file_view.cpp
  ${launcher_dir}/hardening.cpp ${launcher_dir}/init.cpp ${launcher_dir}/init_block_map.cpp
  ${launcher_dir}/init_entry.cpp ${launcher_dir}/native_setup.cpp ${launcher_dir}/receive_task.cpp
  ${launcher_dir}/spawn.cpp
  TARGET_DIRECTORY satellite_sandbox PROPERTIES COMPILE_OPTIONS -fno-sanitize=all)
