# What a test's script can call in a test guest.

# guest_input NAME: the fw_cfg entry opt/durantic/NAME, empty if there is none.
guest_input() { cat "/sys/firmware/qemu_fw_cfg/by_name/opt/durantic/$1/raw" 2>/dev/null || true; }

proof_port() {
  for port in /sys/class/virtio-ports/*; do
    [ "$(cat "$port/name")" = durantic.proof ] && echo "/dev/${port##*/}" && return
  done
  echo 'no port durantic.proof' >&2
  return 1
}

# say_proof LINE: the port has one writer at a time, and another may be at it.
say_proof() {
  port=$(proof_port) || return 1
  attempts=0
  until { printf '%s\n' "$1" >"$port"; } 2>/dev/null; do
    attempts=$((attempts + 1))
    [ "$attempts" -lt 30 ] || return 1
    sleep 1
  done
}

# prove TEST FACTS: says that the test is done; FACTS is a JSON object.
prove() { say_proof "$(printf '{"test":"%s","nonce":"%s","done":true,"facts":%s}' "$1" "$NONCE" "$2")"; }

prove_failure() {
  say_proof "$(printf '{"test":"script","nonce":"%s","done":false,"facts":{"exit_code":%s}}' "$NONCE" "$1")"
}

# disk_of SERIAL: waits up to 10 s for the disk with this serial number and prints its device node.
disk_of() {
  tries=0
  while [ "$tries" -lt 100 ]; do
    for block in /sys/class/block/*; do
      serial=$(cat "$block/serial" 2>/dev/null || cat "$block/device/serial" 2>/dev/null || true)
      case "$serial" in "$1" | "$1 "*) echo "/dev/${block##*/}" && return ;; esac
    done
    tries=$((tries + 1))
    usleep 100000
  done
  echo "no disk with serial number $1" >&2
  return 1
}
