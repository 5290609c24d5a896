#!/usr/bin/env bash
# Runs OpenStack's own tests (Tempest) against a cloud, and prints one table.
#
#   scripts/conformance.sh [--ephemeral] [SELECTION] [OPTIONS]
#
#   SELECTION      smoke (default), identity, image, compute, network, volume, object, scenario, serial, all,
#                  regex:EXPRESSION, list:FILE
#   --ephemeral    against a cloud of its own with fake drivers; else against the one of OS_*
#
# OPTIONS are those of tests/conformance/run.py; --help lists them. RUN_VALIDATION=true also logs in to guests.
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"

case ${1:-} in -h | --help) usage ;; esac
env=$(venv tempest "$clone/tests/conformance/requirements.txt")
run=("$env/bin/python" -W ignore "$clone/tests/conformance/run.py")
if [ "${1:-}" = --ephemeral ]; then
    shift
    need_rust
    cargo build --manifest-path "$clone/Cargo.toml" --locked -p stackup
    exec "$env/bin/python" "$clone/tests/compat/cloud.py" "$CARGO_TARGET_DIR/debug/stackup" "${run[@]}" "$@"
fi
[ -n "${OS_AUTH_URL:-}" ] || [ "${1:-}" = --help ] || die "no cloud: source <(stackup openrc admin admin), or --ephemeral"
exec "${run[@]}" "$@"
