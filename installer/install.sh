#!/bin/sh
# shellcheck disable=SC2317 # What undoes is run by a trap.
#
# Installs or upgrades the durantic agent and makes this machine known to the server that this script came from:
#
#   curl -k --pinnedpubkey 'sha256//…' -sfL https://SERVER/install.sh | DURANTIC_TOKEN=… bash -
#
# It may be run again at any time: the program is replaced, the identity of the machine is kept. If it fails, the system
# is as it was before. Environment:
#
#   DURANTIC_TOKEN       the bootstrap token; needed unless the machine is enrolled already
#   DURANTIC_NO_START=1  install and enable, but do not start: for a chroot or an image that is being built
#   DURANTIC_PREFIX=DIR  in place of /usr/local, where that cannot be written

# A shell reads up to the closing brace before it runs anything: of a download that breaks off, nothing is run.
{
{ set +x; } 2>/dev/null
set -eu
umask 022
export LC_ALL=C
PATH=${PATH:+$PATH:}/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin

# What the server fills in.
server=@SERVER@
pin=@PIN@
leaf_pin=@LEAF_PIN@
bundle_sha256=@BUNDLE_SHA256@
bundle_kib=@BUNDLE_KIB@
bundle_missing=@BUNDLE_MISSING@
glibc_floor=@GLIBC_FLOOR@

bundle_name=durantic-linux-x64.tar.gz
service=durantic-agent.service
unit=/etc/systemd/system/$service
config=/etc/durantic/agent.yaml
state=/var/lib/durantic

# The token leaves the environment: of everything that is run here, only the enrolment gets it.
token=${DURANTIC_TOKEN:-}
unset DURANTIC_TOKEN
prefix=${DURANTIC_PREFIX:-/usr/local}
lib=$prefix/lib/durantic
link=$prefix/bin/durantic

say() {
  printf 'durantic: %s\n' "$*"
}

die() {
  printf 'durantic: %s\n' "$*" >&2
  exit 1
}

has() {
  command -v "$1" >/dev/null 2>&1
}

is_there() {
  [ -e "$1" ] || [ -L "$1" ]
}

# Is version $1, as 2.36, at least $2?
at_least() {
  [ "${1%%.*}" -gt "${2%%.*}" ] || { [ "${1%%.*}" -eq "${2%%.*}" ] && [ "${1#*.}" -ge "${2#*.}" ]; }
}

# --- What must be so before anything is changed

check_filled_in() {
  case $server in
    http://* | https://*) ;;
    *) die 'this copy of install.sh knows no server: take it from https://SERVER/install.sh' ;;
  esac
  [ -z "$bundle_missing" ] || die "$bundle_missing"
  case $prefix in
    /*[!A-Za-z0-9._/-]* | [!/]* | */) die 'DURANTIC_PREFIX must be a folder with an absolute, plain name' ;;
  esac
}

check_system() {
  [ "$(id -u)" = 0 ] || die 'this needs root: open a root shell (sudo -i), then run the line there'
  [ "$(uname -s)" = Linux ] || die "this is $(uname -s); the agent runs on Linux"
  [ "$(uname -m)" = x86_64 ] || die "this machine is $(uname -m); the agent runs on x86_64"
  [ -e /proc/self/exe ] || die '/proc is not mounted; the agent needs it'
  for tool in tar gzip sha256sum mktemp df sed od grep; do
    has "$tool" || die "the program $tool is missing; install it and run this again"
  done
  check_downloader
}

# busybox has a wget that knows no pins: what it downloads could be anybody's.
check_downloader() {
  downloader=
  if has curl; then
    downloader=curl
  elif has wget && { [ -z "$leaf_pin" ] || wget --help 2>/dev/null | grep -q -e --pinnedpubkey; }; then
    downloader=wget
  fi
  [ -n "$downloader" ] || die 'curl is missing (GNU wget does as well); install it and run this again'
}

check_systemd() {
  [ -x /usr/lib/systemd/systemd ] || [ -x /lib/systemd/systemd ] || die 'this system has no systemd, which starts the agent'
  has systemctl || die 'this system has no systemctl, which the service is set up with'
  starts=true
  if [ "${DURANTIC_NO_START:-}" = 1 ]; then
    starts=false
  elif [ ! -d /run/systemd/system ]; then
    die 'systemd is not running here, so the agent cannot be started. In a chroot: DURANTIC_NO_START=1 installs it for the next boot'
  fi
}

check_glibc() {
  [ -e /lib64/ld-linux-x86-64.so.2 ] || die "this system has no glibc for x86-64; the agent needs $glibc_floor or later"
  glibc=$({ getconf GNU_LIBC_VERSION || ldd --version; } 2>/dev/null </dev/null |
    sed -n '1s/.* \([0-9][0-9]*\.[0-9][0-9]*\).*/\1/p')
  [ -n "$glibc" ] || die 'the version of glibc cannot be found out: neither getconf nor ldd tells it'
  at_least "$glibc" "$glibc_floor" || die "this system has glibc $glibc; the agent needs $glibc_floor or later"
}

# Also what an enrolment finds, so that a refused one leaves nothing else.
check_enrolment() {
  is_enrolled=false
  had_pending_key=false
  new_dirs=
  if [ -e "$state/identity.json" ] && [ -e "$config" ]; then is_enrolled=true; fi
  if [ -e "$state/enrolling-key.json" ]; then had_pending_key=true; fi
  for dir in "$state" "${config%/*}"; do [ -d "$dir" ] || new_dirs="$dir $new_dirs"; done
  [ -n "$token" ] || $is_enrolled || die \
    'DURANTIC_TOKEN is not set: make a token with "durantic server token create" and run the line that it prints'
}

# --- Undoing

stage=
made_dirs=
was_active=false
was_enabled=false
changed_lib=false
changed_link=false
changed_unit=false
changed_enabled=false
changed_running=false
enrol_status=0
has_enrolled=false

undo() {
  status=$?
  trap - EXIT
  trap '' HUP INT TERM
  set +e
  if [ "$status" != 0 ]; then
    undo_service
    if $changed_link; then put_back "$link" old-link "$had_link"; fi
    if $changed_lib; then put_back "$lib" old "$had_lib"; fi
    if $changed_running && $was_active; then systemctl restart "$service"; fi
    undo_enrolment
  fi
  [ -z "$stage" ] || rm -rf "$stage"
  if [ "$status" != 0 ]; then
    for dir in $made_dirs; do rmdir "$dir" 2>/dev/null; done
    if $has_enrolled; then
      say "this machine is enrolled all the same and keeps its identity in $state; run this again without a new token" >&2
    fi
  fi
  exit "$status"
}

undo_service() {
  if $changed_running && ! $was_active; then systemctl stop "$service" 2>/dev/null; fi
  if $changed_enabled && ! $was_enabled; then systemctl disable "$service" >/dev/null 2>&1; fi
  if $changed_unit; then
    put_back "$unit" old-unit "$had_unit"
    if $starts; then systemctl daemon-reload; fi
  fi
}

# A key that the server has refused is nobody's. One that it may have accepted (no answer came) is kept for the next time.
undo_enrolment() {
  if [ "$enrol_status" = 2 ] && ! $had_pending_key; then rm -f "$state/enrolling-key.json"; fi
  for dir in $new_dirs; do rmdir "$dir" 2>/dev/null; done
}

# $1: the path that was changed, $2: name in the stage of what was there, $3: was there anything?
put_back() {
  if is_there "$stage/$2"; then
    rm -rf "$1"
    mv "$stage/$2" "$1"
  elif [ "$3" = false ]; then
    rm -rf "$1"
  fi
}

# Moves what is at $1 into the stage as $2.
put_aside() {
  if is_there "$1"; then mv "$1" "$stage/$2"; fi
}

# --- Steps

make_dir() {
  if [ -z "$1" ] || [ -d "$1" ]; then return 0; fi
  make_dir "${1%/*}"
  mkdir "$1" 2>/dev/null || die "$1 cannot be made: is the file system read-only? DURANTIC_PREFIX=/opt/durantic installs elsewhere"
  made_dirs="$1 $made_dirs"
}

# Everything is made ready in a folder beside the place where it belongs, so that it can be moved there at once.
open_stage() {
  make_dir "$prefix/lib"
  make_dir "$prefix/bin"
  if has flock; then
    exec 9<"$prefix/lib"
    flock -n 9 || die 'another installation of durantic is running'
  fi
  recover
  stage=$(mktemp -d "$prefix/lib/.durantic-install.XXXXXX" 2>/dev/null) ||
    die "$prefix/lib cannot be written: is the file system read-only? DURANTIC_PREFIX=/opt/durantic installs elsewhere"
  chmod 700 "$stage"
  free_kib=$(df -Pk "$stage" 2>/dev/null | sed -n '2s/^.*  *\([0-9][0-9]*\)  *[0-9-]*%.*$/\1/p')
  # The archive and what is in it, which is not quite three times as large; and some room for the state.
  needed_kib=$((bundle_kib * 4 + 16384))
  [ -z "$free_kib" ] || [ "$free_kib" -ge "$needed_kib" ] ||
    die "$prefix/lib has $((free_kib / 1024)) MiB free; $((needed_kib / 1024)) MiB are needed"
}

# What a killed installation has left.
recover() {
  for left in "$prefix"/lib/.durantic-install.*; do
    [ -d "$left" ] || continue
    if [ ! -e "$lib" ] && [ -d "$left/old" ]; then mv "$left/old" "$lib"; fi
    rm -rf "$left"
  done
}

# $1: path on the server, $2: file
download() {
  if [ "$downloader" = curl ]; then
    set -- -fsS --retry 3 --connect-timeout 20 --proto "=${server%%:*}" -o "$2" "$server$1"
    if [ -n "$leaf_pin" ]; then set -- -k --pinnedpubkey "$leaf_pin" "$@"; fi
    code=0
    curl "$@" </dev/null || code=$?
    # curl(1): the public key did not match.
    [ "$code" != 90 ] || die "$server has another key than when this script was made: download the script again, and find out who answers there"
    [ "$code" = 0 ] || die "the agent could not be downloaded from $server (curl ended with $code)"
  else
    set -- -q --tries=3 --connect-timeout=20 -O "$2" "$server$1"
    if [ -n "$leaf_pin" ]; then set -- --no-check-certificate --pinnedpubkey="$leaf_pin" "$@"; fi
    wget "$@" </dev/null || die "the agent could not be downloaded from $server, or $server has another key than when this script was made"
  fi
}

get_bundle() {
  download "/download/$bundle_name" "$stage/$bundle_name"
  found=$(sha256sum "$stage/$bundle_name" | sed 's/ .*//')
  [ "$found" = "$bundle_sha256" ] || die \
    "the agent from $server has the SHA-256 $found where this script expects $bundle_sha256: if the server was just updated, download the script again"
  mkdir "$stage/bundle"
  tar -xzof "$stage/$bundle_name" -C "$stage/bundle" </dev/null || die 'the agent could not be unpacked'
  rm -f "$stage/$bundle_name"
  for library in libstdc++.so.6 libgcc_s.so.1; do lay_down "$library"; done
}

# Only where the system has none of its own, as agent injection does: one system, one C++ library.
lay_down() {
  if has_library "$1"; then return 0; fi
  needed=$(sed -n "\\|\"path\": \"fallback/$1\"|,/}/s/.*\"glibc\": \"\\([0-9.]*\\)\".*/\\1/p" "$stage/bundle/manifest.json")
  if [ -z "$needed" ]; then die "this system has no $1, and the agent brings none"; fi
  at_least "$glibc" "$needed" || die \
    "this system has no $1, and the agent's own copy needs glibc $needed where this system has $glibc: install $1"
  cp -p "$stage/bundle/fallback/$1" "$stage/bundle/$1"
  say "this system has no $1: the agent uses its own copy"
}

has_library() {
  if { ldconfig -p 2>/dev/null || :; } | grep -q -F "$1 (libc6,x86-64"; then return 0; fi
  for dir in /lib/x86_64-linux-gnu /usr/lib/x86_64-linux-gnu /lib64 /usr/lib64 /usr/lib /lib /usr/local/lib; do
    # The fifth byte of an ELF file: 02 is 64 bits.
    if [ -e "$dir/$1" ] && [ "$(od -An -tx1 -j4 -N1 "$dir/$1" | sed 's/ //g')" = 02 ]; then return 0; fi
  done
  return 1
}

prove_start() {
  version=$("$stage/bundle/durantic" version 2>"$stage/errors" </dev/null) ||
    die "the program does not start on this system: $(sed -n 1p "$stage/errors")"
  version=$(printf '%s\n' "$version" | sed -n '1s/^durantic \([^ ]*\).*/\1/p')
  [ -n "$version" ] || die 'the program does not tell its version'
}

enrol() {
  [ -n "$token" ] || return 0
  set -- enroll --server "$server"
  if [ -n "$pin" ]; then set -- "$@" --pin "$pin"; fi
  # Whoever fetched this script without TLS has asked for it by name.
  case $server in http://*) set -- "$@" --plain-http ;; esac
  DURANTIC_TOKEN=$token "$stage/bundle/durantic" "$@" </dev/null >"$stage/enrolled" || enrol_status=$?
  [ "$enrol_status" = 0 ] || die "this machine could not be enrolled with $server"
  has_enrolled=true
}

put_in_place() {
  changed_lib=true
  put_aside "$lib" old
  mv "$stage/bundle" "$lib"
  changed_link=true
  put_aside "$link" old-link
  ln -s ../lib/durantic/durantic "$link"
  if has restorecon; then restorecon -RF "$lib" "$link" 2>/dev/null || :; fi
}

put_service() {
  if systemctl is-enabled --quiet "$service" 2>/dev/null; then was_enabled=true; fi
  if $starts && systemctl is-active --quiet "$service"; then was_active=true; fi
  write_unit | sed "s|/usr/local/bin/durantic|$link|" >"$stage/unit"
  changed_unit=true
  make_dir "${unit%/*}"
  put_aside "$unit" old-unit
  mv "$stage/unit" "$unit"
  changed_enabled=true
  if $starts; then systemctl daemon-reload; fi
  systemctl enable --quiet "$service" </dev/null >/dev/null 2>"$stage/errors" ||
    die "the service could not be enabled: $(sed -n 1p "$stage/errors")"
}

start_service() {
  $starts || return 0
  changed_running=true
  systemctl restart "$service" </dev/null || die "the service does not start: journalctl -u $service says why"
  # It could still end within its first seconds.
  for _ in 1 2 3; do
    sleep 1
    systemctl is-active --quiet "$service" || die "the service does not keep running: journalctl -u $service says why"
  done
}

write_unit() {
  cat <<'UNIT'
[Unit]
Description=Durantic agent
After=network.target local-fs.target
# A machine in the field is reached through this service only: it is never given up.
StartLimitIntervalSec=0

[Service]
# Ready as soon as it runs, whether or not a server can be reached. It reports twice in each WatchdogSec; one that hangs
# is killed and started again, without a core file: its memory holds the machine's key.
Type=notify
NotifyAccess=main
WatchdogSec=120
LimitCORE=0
ExecStart=/usr/local/bin/durantic agent
Restart=on-failure
RestartSec=5
# The agent ends within a second of SIGTERM; an installation that it runs is aborted first.
TimeoutStopSec=15
KillMode=mixed
RuntimeDirectory=durantic
RuntimeDirectoryMode=0700
RuntimeDirectoryPreserve=restart
StateDirectory=durantic
StateDirectoryMode=0700
UMask=0077
OOMScoreAdjust=-500

# Only what the job can do without. The agent partitions and mounts disks, writes files with set-uid bits, loads
# kernels and reboots: no Protect*, no RestrictSUIDSGID. V8 makes code at run time: no MemoryDenyWriteExecute.
NoNewPrivileges=yes
LockPersonality=yes
RestrictRealtime=yes
SystemCallArchitectures=native
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
KeyringMode=private

[Install]
WantedBy=multi-user.target
UNIT
}

report() {
  machine=$(sed -n 's/.*"machine_uuid": *"\([0-9a-f-]*\)".*/\1/p' "$state/identity.json")
  if $had_lib; then what=replaced; else what=installed; fi
  say "agent $version $what in $lib"
  if $has_enrolled; then
    say "this machine is enrolled with $server as $machine"
  else
    say "this machine stays enrolled as $machine"
  fi
  if $starts; then say "$service is enabled and running"; else say "$service is enabled and starts with the next boot"; fi
}

main() {
  check_filled_in
  check_system
  check_systemd
  check_glibc
  check_enrolment
  if is_there "$lib"; then had_lib=true; else had_lib=false; fi
  if is_there "$link"; then had_link=true; else had_link=false; fi
  if is_there "$unit"; then had_unit=true; else had_unit=false; fi
  trap undo EXIT
  trap 'exit 129' HUP
  trap 'exit 130' INT
  trap 'exit 143' TERM
  open_stage
  get_bundle
  prove_start
  enrol
  put_in_place
  put_service
  start_service
  report
}

main
exit 0
}
