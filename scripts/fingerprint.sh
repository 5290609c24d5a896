#!/usr/bin/env bash
# Prints what an install changes on a machine, as sorted lines, so that before and after a reset can be compared.
#
#   fingerprint.sh      as root
set -uo pipefail
export LC_ALL=C PATH=$PATH:/usr/sbin:/sbin

section() { # section NAME COMMAND...: its lines, each under the name
    local name=$1; shift
    "$@" 2>/dev/null | sed "s|^|$name: |" | sort
}
links() { ip -o link | sed -E 's/^[0-9]+: //; s/ (qlen|state) [^ ]+//g'; }
addresses() { ip -o addr | sed -E 's/^[0-9]+: //; s/ +/ /g; s/(valid_lft|preferred_lft) [^ ]+//g; s/\\//g'; }
routes() { { ip route show table all; ip -6 route show table all; } | sed -E 's/expires [^ ]+//'; }
rules() { ip rule; ip -6 rule; }
sysctls() { sysctl -a | grep -E '^net\.(bridge|netfilter\.nf_conntrack_max|ipv[46]\.(ip_forward|conf\.))' | grep -v stable_secret; }
mounts() { findmnt -rno TARGET,SOURCE,FSTYPE; }
groups() { [ ! -e /dev/mapper/control ] || { vgs --noheadings -o vg_name; lvs --noheadings -o vg_name,lv_name; }; }
etc() {
    find /etc -xdev -type f ! -name '*-' ! -name ld.so.cache ! -path '/etc/lvm/*' -exec sha256sum {} +
    find /etc -xdev ! -path '/etc/lvm/*' -printf '%p %y %m %u:%g %l\n'
}
# What grows by itself is left out: only programs that name our directories, only ports that nobody gets by chance.
processes() { pgrep -af '/(var/lib|run)/stackup' | cut -d' ' -f2-; }
ports() { ss -Hltnu | awk '{port = $5; sub(/.*:/, "", port); if (port < 32768) print $1, $5}' | sort -u; }
directories() { ls -d /var/lib/* /run/* /run/netns/* /usr/local/bin/* /dev/mapper /dev/stack-volumes*; }
modules() { awk '{print $1}' /proc/modules; }

for name in links addresses routes rules sysctls mounts groups etc processes ports directories modules; do
    section $name $name
done
section netns ip netns list
section nft nft -s list ruleset
section loops losetup -ln -O NAME,BACK-FILE
section users cat /etc/passwd /etc/group
