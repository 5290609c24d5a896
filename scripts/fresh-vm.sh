#!/usr/bin/env bash
# A disposable Debian machine in QEMU, to try `install` and `reset --host` on something that may break.
#
#   fresh-vm.sh build [--force]       makes the base disk from packages (root; kept)
#   fresh-vm.sh up                    boots it; the first boot is saved as "pristine"
#   fresh-vm.sh run CMD [CMD...]      runs each by ssh, ends with the status of the first that fails
#   fresh-vm.sh copy SRC... DST       into it          fresh-vm.sh fetch SRC DST   out of it
#   fresh-vm.sh save NAME             keeps disk and memory as they are under a name
#   fresh-vm.sh reset [NAME]          goes back to that (default: pristine), in seconds
#   fresh-vm.sh reboot                restarts it and waits
#   fresh-vm.sh down [--purge]        powers it off; --purge forgets its disk too
#   fresh-vm.sh prove BINARY IMAGES   installs stackup and the tiny guest there, and resets the host again
#   fresh-vm.sh status | console | ssh [ARGS]
#
#   VM_DIR     base disks and state (default ~/.cache/stackup/vm)    VM_NAME    for several at once (lab)
#   VM_SUITE   Debian's suite (bookworm)          VM_PACKAGES  more packages for the base disk, with commas
#   VM_SOURCES file of apt sources for the build  VM_CPUS, VM_MEMORY  2, 4096      VM_DISK_GB, VM_DATA_GB  20, 10
#   VM_SSH     port on the loopback (2222)        VM_ACCEL     tcg or kvm (default: kvm if a guest boots under it)
#   VM_NET     off cuts it from all but ssh       VM_CPU       QEMU's -cpu
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"

dir=${VM_DIR:-$cache/vm} suite=${VM_SUITE:-bookworm} port=${VM_SSH:-2222}
base=$dir/base-$suite state=$dir/${VM_NAME:-lab} key=$dir/id_ed25519
PACKAGES=systemd,systemd-sysv,udev,dbus,libpam-systemd,apparmor,openssh-server,python3,sudo,ca-certificates,iproute2
PACKAGES+=,iputils-ping,kmod,procps,netbase,e2fsprogs,initramfs-tools,zstd,less,cron,logrotate,linux-image-cloud-amd64

need() { local tool; for tool in "$@"; do command -v "$tool" >/dev/null || die "needs $tool"; done; }

# ---------------------------------------------------------------- build

sources() { # this machine's own Debian sources, for the suite asked for
    if [ -n "${VM_SOURCES:-}" ]; then cat "$VM_SOURCES"; return; fi
    # shellcheck disable=SC2016 # apt's own placeholders
    apt-get indextargets --format '$(REPO_URI)|$(RELEASE)|$(COMPONENT)|$(ORIGIN)' 'Created-By: Packages' |
        awk -F'|' -v suite="$suite" '$4 ~ /^Debian/ { release = $2; sub(/^[a-z]+/, suite, release)
            if (release ~ /^[a-z]+(-updates|-security)?$/) print "deb", $1, release, $3 }' | sort -u
}

build() {
    if [ "${1:-}" != --force ] && [ -f "$base/ok" ]; then return; fi
    need mmdebstrap mke2fs qemu-img ssh-keygen
    [ "$(id -u)" = 0 ] || die "build needs root"
    local work root start=$SECONDS
    mkdir -p "$base"; rm -f "$base"/*
    [ -f "$key" ] || ssh-keygen -q -t ed25519 -N '' -C fresh-vm -f "$key"
    work=$(mktemp -d "$dir/build.XXXXXX"); root=$work/root
    # shellcheck disable=SC2064 # the directory as it is now
    trap "rm -rf '$work'" EXIT
    sources >"$work/sources.list"
    [ -s "$work/sources.list" ] || die "no Debian sources for $suite on this machine; set VM_SOURCES"
    # shellcheck disable=SC2016 # expanded by mmdebstrap's hook
    mmdebstrap --quiet --mode=root --variant=minbase --include="$PACKAGES${VM_PACKAGES:+,$VM_PACKAGES}" \
        --aptopt='APT::Install-Recommends "false"' \
        --setup-hook='mkdir -p "$1/etc/initramfs-tools/conf.d"
            printf "MODULES=list\nCOMPRESS=zstd\n" >"$1/etc/initramfs-tools/conf.d/fresh-vm"
            printf "virtio_pci\nvirtio_blk\nvirtio_net\n" >"$1/etc/initramfs-tools/modules"' \
        "$suite" "$root" - <"$work/sources.list"
    configure "$root"
    cp "$(find "$root/boot" -name 'vmlinuz-*' | sort -V | tail -1)" "$base/vmlinuz"
    cp "$(find "$root/boot" -name 'initrd.img-*' | sort -V | tail -1)" "$base/initrd.img"
    mke2fs -q -t ext4 -F -L labroot -d "$root" "$work/disk.raw" "${VM_DISK_GB:-20}G"
    qemu-img convert -q -O qcow2 "$work/disk.raw" "$base/disk.qcow2"
    rm -rf "$work"; trap - EXIT
    echo "$suite, built in $((SECONDS - start)) s" | tee "$base/ok" >&2
}

# update-initramfs is off inside: the machine boots the base's ramdisk, and rebuilding it takes minutes under TCG.
configure() {
    local root=$1
    echo labhost >"$root/etc/hostname"
    printf '127.0.0.1 localhost\n127.0.1.1 labhost\n::1 localhost ip6-localhost\n' >"$root/etc/hosts"
    printf 'LABEL=labroot / ext4 defaults,noatime 0 1\n' >"$root/etc/fstab"
    install -D -m 600 "$key.pub" "$root/root/.ssh/authorized_keys"; chmod 700 "$root/root/.ssh"
    mkdir -p "$root"/etc/{systemd/network,ssh/sshd_config.d}
    printf '[Match]\nName=en* eth*\n[Network]\nDHCP=ipv4\nLinkLocalAddressing=no\n' >"$root/etc/systemd/network/10-wired.network"
    printf 'PermitRootLogin prohibit-password\nUseDNS no\n' >"$root/etc/ssh/sshd_config.d/fresh-vm.conf"
    rm -f "$root/etc/resolv.conf"; printf 'nameserver 10.0.2.3\n' >"$root/etc/resolv.conf"
    printf 'update_initramfs=no\nbackup_initramfs=no\n' >"$root/etc/initramfs-tools/update-initramfs.conf"
    printf 'Acquire::http::Pipeline-Depth "0";\nAPT::Install-Recommends "false";\nDPkg::Options {"--force-unsafe-io";};\n' >"$root/etc/apt/apt.conf.d/90fresh-vm"
    chroot "$root" systemctl -q enable systemd-networkd serial-getty@ttyS0
    chroot "$root" systemctl -q mask apt-daily.timer apt-daily-upgrade.timer man-db.timer e2scrub_all.timer \
        fstrim.timer systemd-networkd-wait-online.service
    rm -rf "$root"/var/cache/apt/archives/*.deb
}

# ---------------------------------------------------------------- run

# /dev/kvm may exist and yet hang every guest: one is booted as far as looking for its root disk.
accelerator() {
    local log result=tcg
    if [ -n "${VM_ACCEL:-}" ]; then echo "$VM_ACCEL"; return; fi
    if [ ! -f "$dir/accelerator" ]; then
        log=$(mktemp "$dir/probe.XXXXXX")
        [ ! -w /dev/kvm ] || timeout 15 qemu-system-x86_64 -accel kvm -cpu host -m 512 -display none -nodefaults -no-reboot \
            -serial "file:$log" -kernel "$base/vmlinuz" -append "console=ttyS0 panic=-1" </dev/null >/dev/null 2>&1 || true
        ! grep -q 'Unable to mount root' "$log" || result=kvm
        rm -f "$log"; echo $result >"$dir/accelerator"
    fi
    cat "$dir/accelerator"
}

ssh_options=(-i "$key" -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR -o ConnectTimeout=30
    -o ServerAliveInterval=15 -o BatchMode=yes)
remote() { ssh "${ssh_options[@]}" -p "$port" root@127.0.0.1 "$@"; }
alive() { [ -f "$state/pid" ] && kill -0 "$(cat "$state/pid")" 2>/dev/null; }

wait_ssh() { # wait_ssh SECONDS
    local start=$SECONDS
    until remote true </dev/null 2>/dev/null; do
        alive || { tail -5 "$state/console.log" >&2; die "the machine ended"; }
        [ $((SECONDS - start)) -lt "$1" ] || die "no ssh after $1 s; see $state/console.log"
        sleep 1
    done
    remote "date -u -s @$(date +%s)" </dev/null >/dev/null # a restored machine lives in its past
}

monitor() { # monitor LINE: one command of QEMU's monitor, by QMP
    python3 - "$state/qmp" "$1" <<'P'
import json, socket, sys
link = socket.socket(socket.AF_UNIX)
link.settimeout(300)
link.connect(sys.argv[1])
stream = link.makefile('rw')
stream.readline()
for command in ({'execute': 'qmp_capabilities'},
                {'execute': 'human-monitor-command', 'arguments': {'command-line': sys.argv[2]}}):
    stream.write(json.dumps(command) + '\n')
    stream.flush()
    while not {'return', 'error'} & (answer := json.loads(stream.readline())).keys():
        pass
said = answer.get('return', '') if 'error' not in answer else 'Error: ' + answer['error']['desc']
print(said, end='')
sys.exit(said.lower().startswith('error'))
P
}

boot() { # boot [NAME OF A SAVED STATE]
    need qemu-system-x86_64 qemu-img ssh python3
    build
    mkdir -p "$state"
    local accel cpu
    accel=$(accelerator)
    # TCG of QEMU 7.2 with AVX was seen to corrupt a guest; without it SVM remains, so that KVM works inside.
    cpu=${VM_CPU:-$([ "$accel" = kvm ] && echo host || echo max,-avx,-avx2,-fma,-f16c)}
    [ -f "$state/disk.qcow2" ] || qemu-img create -q -f qcow2 -b "$base/disk.qcow2" -F qcow2 "$state/disk.qcow2"
    [ -f "$state/data.qcow2" ] || qemu-img create -q -f qcow2 "$state/data.qcow2" "${VM_DATA_GB:-10}G"
    [ "$accel" = kvm ] || accel=tcg,thread=multi,tb-size=1024
    qemu-system-x86_64 -name "fresh-vm-${VM_NAME:-lab}" -machine q35 -accel "$accel" -cpu "$cpu" -smp "${VM_CPUS:-2}" \
        -m "${VM_MEMORY:-4096}" -nodefaults -display none -no-user-config -kernel "$base/vmlinuz" -initrd "$base/initrd.img" \
        -append "root=LABEL=labroot rw console=ttyS0 quiet systemd.show_status=0 net.ifnames=0 mitigations=off tsc=reliable" \
        -drive file="$state/disk.qcow2",if=none,id=d0,cache=unsafe,discard=unmap -device virtio-blk-pci,drive=d0 \
        -drive file="$state/data.qcow2",if=none,id=d1,cache=unsafe,discard=unmap -device virtio-blk-pci,drive=d1,serial=data \
        -netdev "user,id=n0,hostfwd=tcp:127.0.0.1:$port-:22$([ "${VM_NET:-on}" != off ] || echo ,restrict=on)" \
        -device virtio-net-pci,netdev=n0 -device virtio-rng-pci -serial "file:$state/console.log" \
        -qmp "unix:$state/qmp,server=on,wait=off" -pidfile "$state/pid" -daemonize ${1:+-loadvm "$1"}
}

up() {
    if alive; then return; fi
    local start=$SECONDS
    if [ -f "$state/saved" ] && [ -f "$state/disk.qcow2" ]; then
        boot pristine; wait_ssh 120
    else
        rm -f "$state"/*.qcow2; boot; wait_ssh 600
        remote 'systemctl is-system-running --wait; systemctl --failed --no-legend; sync' </dev/null >&2 || true
        monitor 'savevm pristine'; touch "$state/saved"
    fi
    say "up in $((SECONDS - start)) s"
}

reset() {
    alive || up
    monitor "loadvm ${1:-pristine}"; wait_ssh 120
}

down() {
    local pid tries=50
    if alive; then
        pid=$(cat "$state/pid")
        monitor quit >/dev/null 2>&1 || true
        while kill -0 "$pid" 2>/dev/null && [ $((tries -= 1)) -gt 0 ]; do sleep .1; done
        kill "$pid" 2>/dev/null || true
    fi
    rm -f "$state/pid" "$state/qmp"
    [ "${1:-}" != --purge ] || rm -rf "$state"
}

reboot() {
    local before start=$SECONDS
    before=$(remote cat /proc/sys/kernel/random/boot_id)
    remote 'systemctl reboot' </dev/null || true
    until [ "$(remote cat /proc/sys/kernel/random/boot_id </dev/null 2>/dev/null || echo "$before")" != "$before" ]; do
        [ $((SECONDS - start)) -lt 300 ] || die "did not come back"
        sleep 1
    done
}

copy() { # copy SRC... DST, with the machine's end marked by a leading colon
    local args=() arg
    for arg; do case $arg in :*) args+=("root@127.0.0.1$arg") ;; *) args+=("$arg") ;; esac; done
    scp -q -r "${ssh_options[@]}" -P "$port" "${args[@]}"
}

# Building needs a toolchain and, under TCG, hours: what is proved here is everything after the build.
prove() {
    [ $# -eq 2 ] || { usage; exit 2; }
    up; reset
    remote 'mkdir -p /root/stackup' </dev/null
    copy "$clone/scripts" "$1" "$2" ":/root/stackup/"
    remote "STACKUP_BINARY=/root/stackup/$(basename "$1") STACKUP_GUEST=/root/stackup/$(basename "$2") /root/stackup/scripts/install.sh && stackup status && stackup reset --host --yes" </dev/null
}

mkdir -p "$dir"
command=${1:-}; shift || true
case $command in
    build) build "$@" ;;
    up) up ;;
    run) for line; do remote "$line" </dev/null || exit $?; done ;;
    copy) copy "${@:1:$#-1}" ":${!#}" ;;
    fetch) copy ":$1" "$2" ;;
    save) remote sync </dev/null; monitor "savevm $1" ;;
    reset) reset "$@" ;;
    reboot) reboot ;;
    down) down "$@" ;;
    prove) prove "$@" ;;
    status) if alive; then echo "up, pid $(cat "$state/pid"), ssh on 127.0.0.1:$port"; else echo down; fi ;;
    console) cat "$state/console.log" ;;
    ssh) remote "$@" ;;
    -h | --help) usage ;;
    *) usage >&2; exit 2 ;;
esac
