# shellcheck shell=bash
# What the scripts share: words, packages, the toolchain, a virtual environment. Sourced, not run.

clone=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cache=${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/stackup
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$cache/target}

say() { printf '%s: %s\n' "$(basename "$0" .sh)" "$*" >&2; }
die() { say "$*"; exit 1; }
usage() { sed -n '2,/^set -/s/^# \{0,1\}//p' "$0"; }

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; return; fi
    sudo -n true 2>/dev/null || die "needs root for: $*"
    sudo -n "$@"
}

installed() { dpkg-query -W -f '${Status}' "$1" 2>/dev/null | grep -q '^install ok installed'; }

# What apt_install brought to this machine.
added=()

# apt_install PKG...: installs what is missing. Lists are refreshed only when apt cannot do without.
apt_install() {
    local name missing=() log
    for name in "$@"; do installed "$name" || missing+=("$name"); done
    [ ${#missing[@]} -eq 0 ] && return
    say "installing ${missing[*]}"
    log=$(mktemp)
    apt_quiet "${missing[@]}" >"$log" 2>&1 ||
        { as_root apt-get -q update >>"$log" 2>&1 && apt_quiet "${missing[@]}" >>"$log" 2>&1; } ||
        { tail -20 "$log" >&2; rm -f "$log"; die "apt-get could not install ${missing[*]}"; }
    rm -f "$log"
    added+=("${missing[@]}")
}
apt_quiet() { as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "$@" </dev/null; }

# qemu_install [--allow-downgrades]: QEMU and its disk tools come from one source package, and apt refuses to mix
# versions. Where newer disk tools are there already (from backports), the emulator of the same version is taken;
# where that cannot be had, the tools are replaced by older ones only if the caller allows it.
qemu_install() {
    if installed qemu-utils && ! installed qemu-system-x86; then
        local have want
        # shellcheck disable=SC2016 # dpkg's own placeholder
        have=$(dpkg-query -W -f '${Version}' qemu-utils)
        want=$(apt-cache policy qemu-system-x86 | awk '/Candidate:/ {print $2}')
        if apt-cache madison qemu-system-x86 | awk '{print $3}' | grep -qxF "$have"; then
            apt_quiet "qemu-system-x86=$have" "qemu-system-common=$have" "qemu-system-data=${have%+b*}" >/dev/null ||
                die "apt-get could not install qemu-system-x86 $have"
        elif [ "$want" != "$have" ] && dpkg --compare-versions "$want" lt "$have"; then
            [ "${1:-}" = --allow-downgrades ] ||
                die "qemu-utils $have is newer than the emulator apt offers ($want): enable the source it came from, or run" \
                    "apt-get install --allow-downgrades qemu-utils=$want qemu-system-x86=$want"
            apt_quiet --allow-downgrades "qemu-utils=$want" "qemu-system-x86=$want" >/dev/null ||
                die "apt-get could not install QEMU $want"
        fi
    fi
    apt_install qemu-system-x86 qemu-utils
}

# Puts a toolchain that is new enough on the PATH, or says how to get one.
need_rust() {
    local need have home
    need=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' "$clone/Cargo.toml")
    home=$(getent passwd "${SUDO_USER:-$(id -un)}" | cut -d: -f6)
    PATH=$PATH:${CARGO_HOME:-$HOME/.cargo}/bin:$home/.cargo/bin
    if ! command -v cargo >/dev/null && apt-cache show rustup >/dev/null 2>&1; then
        apt_install rustup
        rustup default stable >&2 || die "rustup could not fetch a toolchain"
    fi
    command -v cargo >/dev/null || die "needs Rust $need or newer, which this system's packages do not have; see https://rustup.rs"
    have=$(cargo --version | awk '{print $2}')
    [ "$(printf '%s\n' "$need" "$have" | sort -V | head -1)" = "$need" ] || die "needs Rust $need or newer; $(command -v cargo) is $have"
}

# venv NAME REQUIREMENTS: prints the path of a virtual environment that has them, made once for each content.
venv() {
    local stamp dir
    stamp=$(cat "$2" "$clone/tests/conformance/constraints.txt" | sha256sum | cut -c1-12)
    dir=$cache/venv-$1-$stamp
    if [ ! -e "$dir/.complete" ]; then
        say "making $dir"
        python3 -m venv --clear "$dir" >&2 || die "python3 -m venv failed; apt-get install python3-venv"
        "$dir/bin/pip" install -q --disable-pip-version-check -c "$clone/tests/conformance/constraints.txt" -r "$2" >&2 ||
            die "pip could not install $2"
        touch "$dir/.complete"
    fi
    echo "$dir"
}
