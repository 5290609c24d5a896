#!/bin/sh
# What init does before the login prompts: devices, network, instance data, ssh, user data.
PATH=/usr/sbin:/usr/bin:/sbin:/bin; export PATH
log() { echo "tiny: [$(cut -d' ' -f1 /proc/uptime)] $*"; }

mount -t proc proc /proc 2>/dev/null; mount -t sysfs sys /sys 2>/dev/null
[ -c /dev/null ] || mount -t devtmpfs dev /dev
mkdir -p /dev/pts /dev/shm; mount -t devpts devpts /dev/pts; mount -t tmpfs shm /dev/shm
mount -t tmpfs -o mode=755 run /run; mkdir -p /run/log /run/lib/sudo/lectured /run/sudo /tmp; chmod 1777 /tmp
ln -sf /proc/self/fd /dev/fd
mount -o remount,rw /
for module in virtio_net virtio_rng virtio_balloon virtio_console button evdev af_packet sr_mod e1000; do
    modprobe -q $module
done
hostname -F /etc/hostname; ip link set lo up; echo "0 2147483647" >/proc/sys/net/ipv4/ping_group_range
grep -q " $(hostname)\$" /etc/hosts || echo "127.0.1.1 $(hostname)" >>/etc/hosts
acpid 2>/dev/null

# One udhcpc a card, in the background with -S: a second one would take the first one's address away.
for card in /sys/class/net/eth*; do
    [ -e "$card" ] || continue
    nic=${card##*/}; ip link set "$nic" up
    udhcpc -b -S -t 6 -T 2 -A 5 -i "$nic" -p "/run/udhcpc.$nic.pid" -s /etc/udhcpc.script \
        -O staticroutes -O mtu -O ntpsrv -x "hostname:$(hostname)" >/dev/null 2>&1
    address=$(ip -4 -o addr show "$nic" | awk '{print $4; exit}'); log "$nic ${address:-no DHCP answer yet}"
done

/etc/datasource
for kind in ed25519 ecdsa; do
    key=/etc/dropbear/dropbear_${kind}_host_key
    [ -s $key ] || dropbearkey -t $kind -f $key >/dev/null 2>&1
done
dropbear -r /etc/dropbear/dropbear_ed25519_host_key -r /etc/dropbear/dropbear_ecdsa_host_key
log "ssh ready"
[ -x /run/user-data ] && { log "user-data"; /run/user-data 2>&1; }
( dev=$(awk '$2 == "/" && $1 ~ /^\/dev/ {print $1; exit}' /proc/mounts)
  [ -b "$dev" ] && resize2fs "$dev" >/dev/null 2>&1 ) &
log "up as $(hostname)"
