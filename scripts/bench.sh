#!/usr/bin/env bash
# Measures an ephemeral cloud with fake drivers and prints a table: start, memory, requests, servers.
#
#   scripts/bench.sh [--seconds N] [--json FILE]
#
#   STACKUP_PROFILE=dev   measures a debug build (default: release)
#   STACKUP_BINARY=FILE   measures this binary
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"

case ${1:-} in -h | --help) usage; exit ;; esac
apt_install wrk python3
binary=${STACKUP_BINARY:-}
if [ -z "$binary" ]; then
    profile=${STACKUP_PROFILE:-release}
    apt_install build-essential pkg-config libvirt-dev
    need_rust
    cargo build --manifest-path "$clone/Cargo.toml" --locked -p stackup --profile "$profile"
    [ "$profile" != dev ] || profile=debug
    binary=$CARGO_TARGET_DIR/$profile/stackup
fi
exec python3 "$clone/tests/bench/bench.py" "$binary" "$@"
