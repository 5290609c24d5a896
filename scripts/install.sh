#!/usr/bin/env bash
# Makes this machine an OpenStack cloud: brings what is missing, builds stackup, runs `stackup install`.
#
#   sudo scripts/install.sh [OPTIONS OF `stackup install`]
#
# For Debian 12 and 13 and Ubuntu, on amd64. `stackup plan` says what `stackup install` changes, and
# `stackup reset --host` undoes it. What this script itself leaves behind it says at the end.
#
#   STACKUP_PROFILE=dev      a debug build (default: release)
#   STACKUP_BINARY=FILE      installs this binary instead of building one
#   STACKUP_GUEST=DIR        takes the guest image from there instead of building it
#   PREFIX=DIR               where the binary and the image go (default /usr/local)
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"

prefix=${PREFIX:-/usr/local}
images=$prefix/share/stackup/images

check_system() {
    [ "$(id -u)" = 0 ] || die "run it as root: sudo $0 $*"
    local id='' ID='' ID_LIKE=''
    # shellcheck disable=SC1091 # the system's own file
    . /etc/os-release
    for id in $ID $ID_LIKE; do case $id in debian | ubuntu) break ;; *) id='' ;; esac; done
    [ -n "$id" ] || die "knows Debian and Ubuntu; this is ${ID:-unknown}"
    [ "$(dpkg --print-architecture)" = amd64 ] || die "knows amd64 only; this is $(dpkg --print-architecture)"
}

# Cargo runs as whoever called sudo, so that no file of theirs ends up root's.
as_caller() {
    if [ -n "${SUDO_USER:-}" ] && [ "$SUDO_USER" != root ]; then
        sudo -u "$SUDO_USER" -H env "PATH=$PATH" "CARGO_TARGET_DIR=$CARGO_TARGET_DIR" "$@"
    else
        "$@"
    fi
}

build() {
    local profile=${STACKUP_PROFILE:-release}
    apt_install build-essential pkg-config libvirt-dev ca-certificates
    need_rust
    say "building stackup ($profile)"
    as_caller cargo build --manifest-path "$clone/Cargo.toml" --locked -p stackup --profile "$profile"
    [ "$profile" != dev ] || profile=debug
    binary=$CARGO_TARGET_DIR/$profile/stackup
}

case ${1:-} in -h | --help) usage; exit ;; esac
check_system "$@"
if [ -n "${SUDO_USER:-}" ] && [ "$SUDO_USER" != root ] && [ "$cache" = /root/.cache/stackup ]; then
    CARGO_TARGET_DIR=$(getent passwd "$SUDO_USER" | cut -d: -f6)/.cache/stackup/target
fi
binary=${STACKUP_BINARY:-}
[ -n "$binary" ] || build
apt_install libvirt0
install -D -m 755 "$binary" "$prefix/bin/stackup"

if [ -n "${STACKUP_GUEST:-}" ]; then
    install -d "$images"; cp "$STACKUP_GUEST"/tiny* "$STACKUP_GUEST/SHA256SUMS" "$images/"
else
    qemu_install "" # no downgrades on a machine that is not for testing
    apt_install e2fsprogs mtools cpio kmod xz-utils zstd
    "$clone/scripts/guest-image.sh" "$images"
fi

say "kept by 'stackup reset --host', remove with: rm -r $prefix/bin/stackup $prefix/share/stackup"
[ ${#added[@]} -eq 0 ] || say "packages that were added to build it: ${added[*]}"
exec "$prefix/bin/stackup" install "$@"
