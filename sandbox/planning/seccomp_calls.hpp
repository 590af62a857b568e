#pragma once

#include <asm/unistd.h>
#include <cstdint>

namespace satellite::sandbox {

/// The system calls that the filters name; every other known one is allowed to scripts.

inline constexpr std::uint32_t refused_calls[] = {
    // Namespaces and mounts.
    __NR_unshare,
    __NR_setns,
    __NR_mount,
    __NR_umount2,
    __NR_pivot_root,
    __NR_chroot,
    __NR_fsopen,
    __NR_fsconfig,
    __NR_fsmount,
    __NR_fspick,
    __NR_open_tree,
    __NR_move_mount,
    __NR_mount_setattr,
    // Wide doors into the kernel.
    __NR_bpf,
    __NR_perf_event_open,
    __NR_userfaultfd,
    __NR_fanotify_init,
    __NR_keyctl,
    __NR_add_key,
    __NR_request_key,
    __NR_init_module,
    __NR_finit_module,
    __NR_delete_module,
    __NR_kexec_load,
    __NR_kexec_file_load,
    // Other processes.
    __NR_ptrace,
    __NR_process_vm_readv,
    __NR_process_vm_writev,
    __NR_pidfd_getfd,
    __NR_kcmp,
    __NR_process_madvise,
    __NR_process_mrelease,
    __NR_migrate_pages,
    __NR_move_pages,
    // The host as a whole.
    __NR_reboot,
    __NR_swapon,
    __NR_swapoff,
    __NR_acct,
    __NR_quotactl,
    __NR_quotactl_fd,
    __NR_syslog,
    __NR_settimeofday,
    __NR_clock_settime,
    __NR_adjtimex,
    __NR_clock_adjtime,
    __NR_sethostname,
    __NR_setdomainname,
    __NR_vhangup,
    __NR_nfsservctl,
    __NR_lookup_dcookie,
    // Files by handle, past every directory permission.
    __NR_open_by_handle_at,
    __NR_name_to_handle_at,
#if defined(__x86_64__)
    __NR_ioperm,
    __NR_iopl,
    __NR_modify_ldt,
    __NR_uselib,
    __NR_sysfs,
#endif
};

/// Programs take the older calls instead. openat2(2) is here because a filter cannot read its
/// flags and mode, which lie in memory; the contexts of io_setup(2) are counted for the whole host,
/// so that one script could use up everybody's.
inline constexpr std::uint32_t unknown_calls[] = {__NR_clone3,         __NR_io_uring_setup,
                                                  __NR_io_uring_enter, __NR_io_uring_register,
                                                  __NR_openat2,        __NR_io_setup};

/// Change how a process is scheduled, which their first argument names.
inline constexpr std::uint32_t scheduling_calls[] = {__NR_sched_setscheduler, __NR_sched_setparam,
                                                     __NR_sched_setattr, __NR_sched_setaffinity};

/// Younger than linux/unistd.h of Debian 12; the same number on every architecture.
inline constexpr std::uint32_t call_fchmodat2 = 452;

inline constexpr std::uint32_t init_calls[] = {__NR_read,      __NR_write,     __NR_close,
                                               __NR_wait4,     __NR_kill,      __NR_ppoll,
                                               __NR_getrusage, __NR_exit_group};

/// Of one that has to look for the processes of its run, since nothing else tells them from the
/// host's.
inline constexpr std::uint32_t looking_init_calls[] = {
    __NR_openat,     __NR_getdents64,        __NR_getpid,
    __NR_pidfd_open, __NR_pidfd_send_signal, __NR_waitid};

/// All that the forwarder of loopback ports needs, which has neither libc nor memory to ask for.
inline constexpr std::uint32_t forwarder_calls[] = {
    __NR_write,         __NR_close,      __NR_accept4,     __NR_socket,   __NR_connect,
    __NR_setsockopt,    __NR_getsockopt, __NR_listen,      __NR_shutdown, __NR_splice,
    __NR_pipe2,         __NR_epoll_ctl,  __NR_epoll_pwait, __NR_sendto,   __NR_recvfrom,
    __NR_clock_gettime, __NR_exit_group,
};

/// All that copying a state needs: files and directories by descriptors, memory, words.
inline constexpr std::uint32_t state_copy_calls[] = {
    __NR_read,        __NR_write,      __NR_pread64,    __NR_pwrite64,   __NR_close,
    __NR_openat,      __NR_mkdirat,    __NR_unlinkat,   __NR_fchmod,     __NR_fchmodat,
    __NR_utimensat,   __NR_fstat,      __NR_newfstatat, __NR_getdents64, __NR_fcntl,
    __NR_lseek,       __NR_ftruncate,  __NR_brk,        __NR_mmap,       __NR_munmap,
    __NR_mremap,      __NR_madvise,    __NR_futex,      __NR_getrandom,  __NR_rt_sigreturn,
    __NR_exit,        __NR_exit_group,
#if defined(__SANITIZE_ADDRESS__)
    __NR_sigaltstack,  // ends the process without, where it asks before _exit
#endif
};

}  // namespace satellite::sandbox
