#!/usr/bin/env bash
# Builds the tiny guest from the distribution's own packages: nothing is fetched but by `apt-get download`.
#
#   guest-image.sh [OUTDIR]     default: dist/guest in the clone. Not root. A finished build is kept while
#                               the packages and this recipe are the same; FORCE=1 builds all the same.
#   GUEST_DEBS=DIR              keeps the .deb files there and uses those that are there: an offline rebuild
#
# Makes tiny-vmlinuz, tiny-initrd.img, tiny-rootfs.ext4 (kernel, ramdisk and root of a direct kernel boot),
# tiny.qcow2 (a disk for BIOS: FAT16 /boot with syslinux, ext4 root), SHA256SUMS and tiny.manifest.
#
# The guest: busybox, dropbear, user cirros (password gocubsgo, sudo), DHCP on every card, hostname, ssh key
# and user data by config drive or metadata service, root grown to the disk, serial login, ACPI power button.
# Its own files are in guest/. The user and the tools are those that OpenStack's tests expect of CirrOS.
set -euo pipefail
export LC_ALL=C PATH=$PATH:/usr/sbin:/sbin SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-1700000000}
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "${1:-$here/../dist/guest}"
out=$(cd "${1:-$here/../dist/guest}" && pwd)

PROGRAMS=(busybox dropbear-bin sudo libpam-modules e2fsprogs util-linux netcat-traditional)
TOOLS=(busybox-static syslinux syslinux-common)
ROOT_MODULES="virtio_pci virtio_blk virtio_scsi virtio_net virtio_rng virtio_balloon virtio_console sd_mod sr_mod
 ata_piix isofs vfat nls_ascii nls_cp437 button evdev af_packet 8021q nvme e1000 ahci qemu_fw_cfg ext4"
BOOT_MODULES="virtio_pci virtio_blk virtio_scsi sd_mod ata_piix nvme ahci ext4"

say() { printf 'guest-image: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

check_tools() {
    local tool missing=()
    for tool in apt-get dpkg-deb mke2fs debugfs mformat mcopy qemu-img cpio gzip depmod xz zstd; do
        command -v "$tool" >/dev/null || missing+=("$tool")
    done
    [ ${#missing[@]} -eq 0 ] || die "needs ${missing[*]}; apt-get install e2fsprogs mtools qemu-utils cpio kmod xz-utils zstd"
    [ "$(dpkg --print-architecture)" = amd64 ] || die "knows amd64 only"
}

# ---------------------------------------------------------------- packages

# The names of the packages to take: programs, the libraries they depend on, tools, and the newest cloud kernel.
package_names() {
    local meta kernel
    printf '%s\n' "${PROGRAMS[@]}" "${TOOLS[@]}"
    apt-cache depends --recurse --no-recommends --no-suggests --no-conflicts --no-breaks --no-replaces \
        --no-enhances "${PROGRAMS[@]}" syslinux | grep -E '^(lib[a-z0-9.+-]*|zlib1g)$' | grep -vE 'perl|systemd|elogind|debian-installer'
    for meta in linux-image-cloud-amd64 linux-image-virtual; do # Debian, Ubuntu
        kernel=$(apt-cache depends --recurse --no-recommends --no-suggests --no-conflicts --no-breaks --no-replaces \
            --no-enhances "$meta" 2>/dev/null | grep -E '^linux-(image|modules)-[0-9][^ ]*$' || true)
        if [ -n "$kernel" ]; then printf '%s\n' "$kernel"; return; fi
    done
    die "apt knows no cloud kernel; run apt-get update"
}

# What this build would be made of, as one hash: the recipe, and every package with the version apt would take.
recipe_hash() {
    { cat "$here/guest-image.sh" "$here"/guest/*; apt-cache show --no-all-versions "${packages[@]}" | grep -E '^(Package|Version):'; } |
        sha256sum | cut -d' ' -f1
}

download() {
    local name missing=()
    for name in "${packages[@]}"; do
        compgen -G "$debs/${name}_*.deb" >/dev/null || missing+=("$name")
    done
    [ ${#missing[@]} -eq 0 ] || (cd "$debs" && apt-get -q -o APT::Sandbox::User= download "${missing[@]}" >/dev/null)
}

unpack() { # unpack DEB DIR: with /usr merged whatever the package says
    mkdir -p "$2"/usr/{bin,sbin,lib,lib64}
    local d; for d in bin sbin lib lib64; do [ -L "$2/$d" ] || ln -s "usr/$d" "$2/$d"; done
    dpkg-deb --fsys-tarfile "$1" | tar -x --keep-directory-symlink -C "$2"
}

unpack_all() {
    local deb
    for deb in "$debs"/*.deb; do
        case $deb in
            */linux-image-* | */linux-modules-*) unpack "$deb" "$kernel" ;;
            */busybox-static_*) unpack "$deb" "$work/static" ;;
            *) unpack "$deb" "$stage" ;;
        esac
    done
    release=$(find "$kernel/usr/lib/modules" -mindepth 1 -maxdepth 1 -printf '%f\n' | sort -V | tail -1)
    find "$kernel" -name '*.ko.xz' -exec xz -d {} +
    find "$kernel" -name '*.ko.zst' -exec zstd -q -d --rm {} +
    depmod -b "$kernel" "$release"
}

# ---------------------------------------------------------------- root file system

with_loader() { "$stage/lib64/ld-linux-x86-64.so.2" --library-path "$libs:$stage/usr/libexec/sudo" "$@"; }

libraries_of() { # copies what a binary links to
    local listed library
    listed=$(with_loader --list "$1")
    ! grep 'not found' <<<"$listed" >&2 || die "$1 lacks a library"
    while read -r library; do install -D -m 644 "$library" "$root/lib/$(basename "$library")"; done \
        < <(awk '/=> \// {print $3}' <<<"$listed")
}

put() { # put NAME DST...: a program of the stage, at each of the paths, with its libraries
    local name=$1 from='' dir dst; shift
    for dir in usr/bin usr/sbin; do [ ! -e "$stage/$dir/$name" ] || from=$stage/$dir/$name; done
    [ -n "$from" ] || die "no $name in the packages"
    for dst in "$@"; do install -D -m 755 "$from" "$root$dst"; done
    libraries_of "$from"
}

copy_modules() { # copy_modules "NAMES" ROOT: kernel modules and what they need
    local name file to=$2/lib/modules/$release from=$kernel/usr/lib/modules/$release
    mkdir -p "$to"
    for name in $1; do
        awk -v m="/${name//_/[-_]}[.]ko" -F: '$1 ~ m {print $1; n = split($2, d, " "); for (i = 1; i <= n; i++) print d[i]}' "$from/modules.dep"
    done | sort -u | while read -r file; do install -D -m 644 "$from/$file" "$to/$file"; done
    cp "$from/modules.order" "$from/modules.builtin" "$to/"
    depmod -b "$2" "$release" 2>/dev/null
    rm -f "$to"/modules.{builtin,order,softdep,devname}* "$to"/*.bin
}

# The dynamic busybox: the static one crashes in getaddrinfo beside a libc. The ramdisk has the static one.
install_programs() {
    local name applet
    install -D -m 755 "$stage/lib64/ld-linux-x86-64.so.2" "$root/lib64/ld-linux-x86-64.so.2"
    put busybox /bin/busybox /bin/ping # ping is its own setuid copy
    put dropbear /usr/sbin/dropbear; put dropbearkey /usr/bin/dropbearkey; put dbclient /usr/bin/ssh
    put sudo /usr/bin/sudo; put resize2fs /sbin/resize2fs; put mkfs /sbin/mkfs
    put mke2fs /sbin/mke2fs /sbin/mkfs.ext4 /sbin/mkfs.ext3 /sbin/mkfs.ext2
    put lsblk /bin/lsblk; put blkid /sbin/blkid; put nc.traditional /usr/libexec/nc
    chmod 4755 "$root/usr/bin/sudo" "$root/bin/ping"; ln -f "$root/bin/ping" "$root/bin/ping6"
    for name in sudoers.so libsudo_util.so.0 sudo_noexec.so; do
        install -D -m 644 "$(readlink -f "$stage/usr/libexec/sudo/$name")" "$root/usr/libexec/sudo/$name"
    done
    libraries_of "$stage/usr/libexec/sudo/sudoers.so"; rm -f "$root"/lib/libsudo_util*
    install -D -m 644 "$stage/usr/lib/x86_64-linux-gnu/security/pam_permit.so" "$root/lib/security/pam_permit.so"
    libraries_of "$stage/usr/lib/x86_64-linux-gnu/security/pam_permit.so"
    mkdir -p "$root/lib/x86_64-linux-gnu"; ln -s ../security "$root/lib/x86_64-linux-gnu/security"
    while read -r applet; do
        case $applet in linuxrc | bin/busybox | */dpkg* | */rpm* | */nc | */lsblk | */mke2fs | */blkid) continue ;; esac
        link_busybox "$applet"
        case $applet in */sbin/* | sbin/*) link_busybox "bin/${applet##*/}" ;; esac # ssh's own PATH has no sbin
    done < <(with_loader "$stage/usr/bin/busybox" --list-full)
}

link_busybox() { # link_busybox PATH: unless something better is there
    [ -e "$root/$1" ] || [ -L "$root/$1" ] || { mkdir -p "$root/${1%/*}"; ln -s /bin/busybox "$root/$1"; }
}

write_etc() {
    local etc=$root/etc file
    printf '%s\n' root:x:0:0:root:/root:/bin/sh cirros:x:1000:1000::/home/cirros:/bin/sh \
        nobody:x:65534:65534::/:/bin/false >"$etc/passwd"
    printf '%s\n' root:x:0: tty:x:5: disk:x:6: sudo:x:27:cirros cirros:x:1000: nogroup:x:65534: >"$etc/group"
    printf 'root:*:19000::::::\ncirros:%s:19000::::::\n' "$("$static" mkpasswd -m sha512 -S tinytiny gocubsgo)" >"$etc/shadow"
    printf '%s\n' 'Defaults secure_path="/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"' \
        '%sudo ALL=(ALL:ALL) NOPASSWD: ALL' >"$etc/sudoers"
    for file in sudo other; do
        printf '%s sufficient pam_permit.so\n' auth account session >"$etc/pam.d/$file"
    done
    printf '%s\n' 'passwd: files' 'group: files' 'shadow: files' 'hosts: files dns' >"$etc/nsswitch.conf"
    printf '127.0.0.1 localhost\n::1 localhost\n' >"$etc/hosts"; : >"$etc/resolv.conf"
    printf '/bin/sh\n' >"$etc/shells"; printf 'tiny\n' >"$etc/hostname"
    printf 'LABEL=tinyroot / ext4 defaults 0 1\n' >"$etc/fstab"
    printf 'NAME="tiny guest"\nID=tiny\nPRETTY_NAME="tiny guest %s"\n' "$release" >"$etc/os-release"
    printf '%s\n' 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' 'export PATH' 'PS1="\u@\h:\w\$ "' >"$etc/profile"
    printf "login as 'cirros' user, password 'gocubsgo'; use 'sudo' for root.\n" >"$etc/issue"
    printf '#!/bin/sh\nexec /sbin/poweroff\n' >"$etc/acpi/PWRF/00000080"
    cp "$stage/etc/mke2fs.conf" "$here/guest/inittab" "$etc/"
    install -m 755 "$here"/guest/{rc.boot,rc.shutdown,datasource,udhcpc.script} "$etc/"
    install -m 755 "$here"/guest/{nc,curl} "$root/usr/bin/"; ln -sf /usr/bin/nc "$root/bin/nc"
    chmod 755 "$etc/acpi/PWRF/00000080"; chmod 600 "$etc/shadow"; chmod 440 "$etc/sudoers"
}

make_root() {
    mkdir -p "$root"/{bin,sbin,lib,lib64,usr/{bin,sbin,lib},etc/{acpi/PWRF,pam.d,dropbear},dev,proc,sys,run,tmp,mnt,var,root,home/cirros/.ssh}
    ln -s /run "$root/var/run"; ln -s /run/log "$root/var/log"; ln -s /run/lib "$root/var/lib"
    install_programs
    copy_modules "$ROOT_MODULES" "$root"
    write_etc
}

make_ramdisk() {
    local ram=$work/ramdisk
    mkdir -p "$ram"/{bin,dev,proc,sys,new}; cp "$static" "$ram/bin/busybox"
    copy_modules "$BOOT_MODULES" "$ram"
    install -m 755 "$here/guest/init" "$ram/init"
    (cd "$ram" && find . -print0 | sort -z | cpio --quiet -0 -o -H newc -R 0:0 --reproducible) | gzip -9n >"$made/tiny-initrd.img"
    cp "$kernel/boot/vmlinuz-$release" "$made/tiny-vmlinuz"
}

# ---------------------------------------------------------------- disks

# Everything is root's but the user's home; whoever builds, debugfs says so (mke2fs takes owners from the tree).
# The journal is there so that a hard reboot needs no fsck.
make_file_system() {
    local image=$made/tiny-rootfs.ext4
    root_mb=$(($(du -sm "$root" | cut -f1) * 12 / 10 + 12))
    truncate -s "${root_mb}M" "$image"
    mke2fs -q -t ext4 -F -L tinyroot -J size=4 -O resize_inode -m 0 \
        -E root_owner=0:0,resize=$((64 * 1024 * 1024)),lazy_itable_init=0 -d "$root" "$image"
    {
        [ "$(id -u)" = 0 ] || find "$root" -mindepth 1 -printf 'sif "/%P" uid 0\nsif "/%P" gid 0\n'
        printf 'sif %s uid 1000\nsif %s gid 1000\n' /home/cirros /home/cirros /home/cirros/.ssh /home/cirros/.ssh
        printf 'sif %s mode 0104755\n' /usr/bin/sudo /bin/ping
    } | debugfs -w -f - "$image" >/dev/null 2>&1
}

little_endian() { printf '\\x%02x' $(($1 & 255)) $(($1 >> 8 & 255)) $(($1 >> 16 & 255)) $(($1 >> 24 & 255)); }
write_bytes() { # write_bytes FILE OFFSET ESCAPES
    # shellcheck disable=SC2059 # the bytes are the format
    printf "$3" | dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}
partition() { # partition DISK INDEX ACTIVE TYPE START LENGTH (sectors): one entry of the MBR
    write_bytes "$1" $((446 + 16 * $2)) "\\x$3\\xfe\\xff\\xff\\x$4\\xfe\\xff\\xff$(little_endian "$5")$(little_endian "$6")"
}

# A FAT16 /boot filled by mtools needs no mount and no root, unlike every other way to a bootable disk.
make_disk() {
    local disk=$work/disk.raw fat=$work/boot.fat boot_mb
    boot_mb=$((($(stat -c %s "$made/tiny-vmlinuz") + $(stat -c %s "$made/tiny-initrd.img")) / 1048576 + 4))
    truncate -s "${boot_mb}M" "$fat"; truncate -s "$((1 + boot_mb + root_mb))M" "$disk"
    export MTOOLS_SKIP_CHECK=1
    mformat -i "$fat" -v TINYBOOT -h 16 -t $((boot_mb * 4)) -s 32 -H 2048 :: 2>/dev/null ||
        mformat -i "$fat" -v TINYBOOT -T $((boot_mb * 2048)) -H 2048 ::
    printf '%s\n' 'DEFAULT tiny' 'PROMPT 0' 'TIMEOUT 0' 'LABEL tiny' '  LINUX vmlinuz' '  INITRD initrd' \
        '  APPEND root=LABEL=tinyroot console=tty0 console=ttyS0' >"$work/syslinux.cfg"
    mcopy -i "$fat" "$made/tiny-vmlinuz" ::vmlinuz
    mcopy -i "$fat" "$made/tiny-initrd.img" ::initrd
    mcopy -i "$fat" "$work/syslinux.cfg" ::syslinux.cfg
    with_loader "$stage/usr/bin/syslinux" --install "$fat"
    dd if="$stage/usr/lib/syslinux/mbr/mbr.bin" of="$disk" conv=notrunc status=none
    write_bytes "$disk" 440 "$(little_endian 2037279092)" # disk id "tiny"
    partition "$disk" 0 80 06 2048 $((boot_mb * 2048))
    partition "$disk" 1 00 83 $((2048 + boot_mb * 2048)) $((root_mb * 2048))
    write_bytes "$disk" 510 '\x55\xaa'
    dd if="$fat" of="$disk" bs=1M seek=1 conv=notrunc,sparse status=none
    dd if="$made/tiny-rootfs.ext4" of="$disk" bs=1M seek=$((1 + boot_mb)) conv=notrunc,sparse status=none
    qemu-img convert -c -O qcow2 "$disk" "$made/tiny.qcow2"
}

# ---------------------------------------------------------------- all

check_tools
mapfile -t packages < <(package_names | sort -u)
[ ${#packages[@]} -gt ${#PROGRAMS[@]} ] || exit 1
hash=$(recipe_hash)
if [ -z "${FORCE:-}" ] && grep -qs "^recipe $hash\$" "$out/tiny.manifest" && (cd "$out" && sha256sum --quiet -c SHA256SUMS >/dev/null 2>&1); then
    say "up to date: $out"
    exit 0
fi

work=$(mktemp -d "${TMPDIR:-/tmp}/guest-image.XXXXXX")
trap 'chmod -R u+rwX "$work"; rm -rf "$work"' EXIT
stage=$work/stage kernel=$work/kernel root=$work/root made=$work/made
libs=$stage/usr/lib/x86_64-linux-gnu static=$work/static/usr/bin/busybox release='' root_mb=0
debs=${GUEST_DEBS:-$work/debs}
mkdir -p "$stage" "$kernel" "$made" "$debs"; debs=$(cd "$debs" && pwd)

download
unpack_all
make_root
make_ramdisk
make_file_system
make_disk
# shellcheck disable=SC2016 # dpkg's own placeholders
for deb in "$debs"/*.deb; do dpkg-deb -W --showformat='${Package} ${Version}\n' "$deb"; done | sort >"$made/tiny.manifest"
echo "recipe $hash" >>"$made/tiny.manifest"
(cd "$made" && sha256sum tiny-vmlinuz tiny-initrd.img tiny-rootfs.ext4 tiny.qcow2 >SHA256SUMS)
rm -f "$out/tiny.manifest"; mv "$made"/tiny-* "$made/tiny.qcow2" "$made/SHA256SUMS" "$out/"
mv "$made/tiny.manifest" "$out/" # last: it says that all is there
say "built $out: $(cd "$out" && du -h tiny-* tiny.qcow2 | awk '{printf "%s %s  ", $2, $1}')"
