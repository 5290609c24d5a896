#!/usr/bin/env bash
# Installs what the tests need, and runs them. Ends with `N passed, N failed`; exit 0 only when all passed.
#
#   scripts/test.sh [--quick] [--host] [--smoke] [--no-install]
#
# Always: format, guards, lints, unit and service tests (on SQLite and a private PostgreSQL), the whole cloud in
# one process, and the stock client and SDK against it. As root, on a machine without a stackup of its own, also
# first light: install, real guests, reset, and the machine as it was.
#
#   --quick        format, guards, lints and cargo's tests only
#   --host         first light in any case, and every step killed at every moment, in namespaces (root)
#   --smoke        also the smoke selection of OpenStack's own tests
#   --no-install   takes the machine as it is
#
#   CARGO_TARGET_DIR   where to build (default ~/.cache/stackup/target)
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"
cd "$clone"

quick='' host='' smoke='' install=1
for option; do
    case $option in
        --quick) quick=1 ;; --host) host=1 ;; --smoke) smoke=1 ;; --no-install) install='' ;;
        -h | --help) usage; exit ;;
        *) usage >&2; exit 2 ;;
    esac
done

first_light=$host
if [ -z "$quick" ] && [ "$(id -u)" = 0 ] && [ ! -e /var/lib/stackup ]; then first_light=1; fi

log=$(mktemp -d "${TMPDIR:-/tmp}/stackup-test.XXXXXX")
chmod 755 "$log"
pg_bin='' passed=0 failed=0 broken=()

clean_up() {
    [ -z "$pg_bin" ] || as_postgres "$pg_bin/pg_ctl" -D "$log/pg/data" -m immediate stop >/dev/null 2>&1 || true
    rm -rf "$log"
}
trap clean_up EXIT

# stage NAME COMMAND...: runs it, shows what it says, adds up the tests it counts. A stage without a count is one test.
stage() {
    local name=$1 start=$SECONDS status=0 ok bad; shift
    printf '\n== %s\n' "$name"
    "$@" 2>&1 </dev/null | tee "$log/stage" || status=$?
    read -r ok bad < <(awk 'match($0, /[0-9]+ passed[;,] [0-9]+ failed/) {
        split(substr($0, RSTART, RLENGTH), n, /[^0-9]+/); ok += n[1]; bad += n[2] } END {print ok + 0, bad + 0}' "$log/stage")
    if [ "$status" != 0 ] && [ "$bad" = 0 ]; then bad=1; fi
    if [ "$status" = 0 ] && [ "$ok" = 0 ]; then ok=1; fi
    passed=$((passed + ok)) failed=$((failed + bad))
    [ "$status" = 0 ] || broken+=("$name")
    printf '== %s: %s in %d s\n' "$name" "$([ "$status" = 0 ] && echo ok || echo FAILED)" $((SECONDS - start))
}

packages() {
    apt_install build-essential pkg-config libvirt-dev ca-certificates curl python3-venv postgresql
    [ -z "$first_light" ] || {
        qemu_install --allow-downgrades
        apt_install libvirt-daemon-driver-qemu nftables iproute2 iputils-ping e2fsprogs mtools cpio kmod xz-utils zstd chrony lvm2 openssh-client
    }
}

as_postgres() { # PostgreSQL refuses to run as root
    if [ "$(id -u)" = 0 ]; then (cd / && setpriv --reuid postgres --regid postgres --init-groups "$@"); else "$@"; fi
}

# A server of our own, on a socket in our own directory; the machine's is not touched.
start_postgres() {
    # shellcheck disable=SC2012 # names without surprises
    pg_bin=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -1)
    [ -x "$pg_bin/initdb" ] || die "no PostgreSQL found"
    mkdir "$log/pg"
    [ "$(id -u)" != 0 ] || chown postgres "$log/pg"
    as_postgres "$pg_bin/initdb" -D "$log/pg/data" -U stackup -A trust -N --no-instructions >/dev/null
    as_postgres "$pg_bin/pg_ctl" -D "$log/pg/data" -w -l "$log/pg/log" \
        -o "-c listen_addresses='' -c unix_socket_directories=$log/pg -c unix_socket_permissions=0700 -c fsync=off" start >/dev/null
    export STACKUP_TEST_POSTGRES="postgres://stackup@${log//\//%2F}%2Fpg/postgres"
}

compat() { # compat STORY: one of tests/compat against a cloud of its own
    "$clients/bin/python" tests/compat/cloud.py "$CARGO_TARGET_DIR/debug/stackup" \
        "$clients/bin/python" "tests/compat/$1.py"
}

first_light() { # beside the program is where it looks for the guest image
    scripts/guest-image.sh "$CARGO_TARGET_DIR/debug/images" &&
        "$clients/bin/python" tests/compat/first_light.py "$CARGO_TARGET_DIR/debug/stackup"
}

[ -z "$install" ] || packages
need_rust
start_postgres

stage "format" cargo fmt --all --check
stage "guards" cargo xtask check
stage "lints" cargo clippy --workspace --all-targets --locked -- -D warnings
# The stories of the whole cloud run the program that the sources make now.
stage "build" cargo build --locked -p stackup
export STACKUP_BIN=$CARGO_TARGET_DIR/debug/stackup
stage "cargo test" cargo test --workspace --locked --no-fail-fast
if [ -z "$quick" ] || [ -n "$host" ]; then
    clients=$(venv clients tests/compat/requirements.txt)
fi
if [ -z "$quick" ]; then
    stage "openstack client" compat openstack_client
    stage "openstacksdk" compat sdk
fi
if [ -z "$host" ] && [ -n "$first_light" ] && ! "$CARGO_TARGET_DIR/debug/stackup" plan >"$log/plan" 2>&1; then
    printf '\n== first light: left out, since this machine is not for it\n'; cat "$log/plan"
    first_light=''
fi
[ -z "$first_light" ] || stage "first light" first_light
[ -z "$host" ] || stage "host" cargo test --locked -p stackup-tests --test host -- --ignored --test-threads=1
[ -z "$smoke" ] || stage "smoke" scripts/conformance.sh --ephemeral smoke

printf '\n'
[ ${#broken[@]} -eq 0 ] || printf 'FAILED: %s\n' "${broken[@]}"
printf '%d passed, %d failed\n' "$passed" "$failed"
[ ${#broken[@]} -eq 0 ]
