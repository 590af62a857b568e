#include "sandbox/planning/file_system_types.hpp"

#include <algorithm>
#include <array>

namespace satellite::sandbox {
namespace {

constexpr auto kernel_types = std::to_array<std::string_view>(
    {"proc", "sysfs", "devtmpfs", "devpts", "cgroup", "cgroup2", "debugfs", "tracefs", "securityfs",
     "bpf", "configfs", "efivarfs", "pstore", "selinuxfs", "binfmt_misc", "mqueue", "fusectl"});

constexpr auto waiting_types =
    std::to_array<std::string_view>({"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "ceph", "afs",
                                     "ncpfs", "glusterfs", "autofs", "fuse", "fuseblk", "lustre"});

constexpr auto local_types = std::to_array<std::string_view>(
    {"ext2", "ext3", "ext4", "xfs", "btrfs", "zfs", "bcachefs", "f2fs", "jfs", "reiserfs", "nilfs2",
     "vfat", "msdos", "exfat", "ntfs3", "hfsplus", "tmpfs", "ramfs", "overlay"});

constexpr auto image_types =
    std::to_array<std::string_view>({"squashfs", "erofs", "iso9660", "udf", "cramfs", "romfs"});

template <typename Types>
bool is_among(std::string_view type, const Types& types) {
  return std::find(types.begin(), types.end(), type) != types.end();
}

}  // namespace

bool is_of_kernel(std::string_view type) {
  return is_among(type, kernel_types);
}

bool waits_for_others(std::string_view type) {
  return is_among(type, waiting_types) || type.starts_with("fuse.");
}

bool is_local_store(std::string_view type) {
  return is_among(type, local_types);
}

bool is_image(std::string_view type) {
  return is_among(type, image_types);
}

bool has_subvolumes(std::string_view type) {
  return type == "btrfs" || type == "bcachefs";
}

}  // namespace satellite::sandbox
