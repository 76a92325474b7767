#!/bin/busybox sh
# First program of a test guest: modules, network, then the test's script. Ends with power-off in every case.
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root TERM=linux LC_ALL=C
mount -t devtmpfs dev /dev
mount -t proc proc /proc
mount -t sysfs sys /sys
exec </dev/null >/dev/console 2>&1
while read -r module; do
  case $module in */efivarfs.ko) [ -d /sys/firmware/efi ] || continue ;; esac
  insmod "$module" || echo "init: cannot insert $module"
done </etc/modules-in-order
mkdir -p /dev/pts /dev/shm /run /tmp
mount -t devpts devpts /dev/pts
mount -t tmpfs tmpfs /dev/shm
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /tmp
ln -sf /proc/mounts /etc/mtab
[ -d /sys/firmware/efi/efivars ] && mount -t efivarfs efivarfs /sys/firmware/efi/efivars

ip link set lo up
for link in /sys/class/net/e*; do
  [ -e "$link" ] || continue
  # Fixed, as QEMU's user network gives it to the first guest: no time goes into DHCP.
  ip link set "${link##*/}" up
  ip addr add 10.0.2.15/24 dev "${link##*/}"
  ip route add default via 10.0.2.2
done
echo 'nameserver 10.0.2.3' >/etc/resolv.conf

. /etc/guest-functions
NONCE=$(guest_input nonce)
export NONCE
guest_input script >/script
[ -s /script ] || { echo 'init: no script in fw_cfg opt/durantic/script'; poweroff -f; }
echo "init: script starts at $(cut -d' ' -f1 /proc/uptime) s"
sh -e -c '. /etc/guest-functions; . /script'
code=$?
echo "init: script ended with $code at $(cut -d' ' -f1 /proc/uptime) s"
[ "$code" = 0 ] || prove_failure "$code"
sync
poweroff -f
