# SPDX-License-Identifier: BSD-3-Clause
# Sourced by deploy/check and deploy/demo, from the top of the tree: elapsed time, root, packages, builds.
# shellcheck shell=bash
export PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C
began=$SECONDS

say() { printf '[%2d:%02d] %s\n' $(((SECONDS - began) / 60)) $(((SECONDS - began) % 60)) "$*"; }
die() { echo "${0##*/}: $*" >&2; exit 1; }

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

# Only installing packages and making network namespaces need root.
need_root_access() {
  [ "$(id -u)" = 0 ] && return 0
  command -v sudo >/dev/null || die "run this as root, or install sudo and let $(id -un) use it"
  sudo -v || die "sudo does not let $(id -un) become root"
}

need_debian() {
  command -v apt-get >/dev/null || die "this needs Debian 12 (apt-get is missing); README.md says how to build by hand"
}

wanted_packages() { sed 's/#.*//' deploy/packages.txt | tr -s ' \n' ' '; }

missing_packages() {
  local package
  for package in $(wanted_packages); do
    dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed || echo "$package"
  done
}

apt_get() {  # never removes, restarts or asks anything
  as_root env DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1 LC_ALL=C \
    apt-get -q -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 "$@"
}

# The lists of a fresh image are absent, those of an old one point at packages that are gone.
update_package_lists() {
  say "updating apt's package lists"
  apt_get update >"$1" 2>&1 || { tail -5 "$1" >&2; die "apt-get update failed: is the Debian mirror reachable?"; }
}

install_packages() {  # BUILD_DIRECTORY
  local missing known log=$1/apt.log
  mkdir -p "$1"
  missing=$(missing_packages)
  for known in chrony libdpdk-dev; do
    apt-cache show "$known" >/dev/null 2>&1 || { update_package_lists "$log"; break; }
  done
  [ -n "$missing" ] || { say "all Debian packages are installed"; return 0; }
  say "installing $(echo "$missing" | wc -w) Debian packages"
  # shellcheck disable=SC2086
  if ! apt_get install -y --no-install-recommends --no-remove $missing >"$log" 2>&1; then
    update_package_lists "$log"
    # shellcheck disable=SC2086
    apt_get install -y --no-install-recommends --no-remove $missing >"$log" 2>&1 ||
      { tail -20 "$log" >&2; die "apt-get could not install: $missing"; }
  fi
}

# Without it the tests of the real clock are skipped and say why.
fetch_guest() {  # BUILD_DIRECTORY
  say "fetching QEMU and a kernel for the virtual machine (unpacked under $1/guest, not installed)"
  deploy/lib/fetch_guest "$1/guest" || say "they could not be fetched: the tests that need them will be skipped"
}

fetch_peers() {  # BUILD_DIRECTORY
  say "fetching the stock NTP programs (unpacked under $1/peers, not installed)"
  deploy/lib/fetch_peers "$1/peers" || die "the stock NTP programs could not be fetched"
}

configure() {  # DIRECTORY MESON_OPTION...
  local dir=$1
  shift
  if [ -e "$dir/build.ninja" ]; then
    meson configure "$dir" "$@" >"$dir/configure.log" 2>&1
  else
    mkdir -p "$dir"
    meson setup "$dir" "$@" >"$dir/configure.log" 2>&1
  fi || { tail -20 "$dir/configure.log" >&2; return 1; }
}

show_progress() {  # ninja's output -> a line at each quarter of a long build
  local line shown=0 part
  while IFS= read -r line; do
    [[ $line =~ ^\[([0-9]+)/([0-9]+)\] ]] || continue
    part=$((BASH_REMATCH[1] * 4 / BASH_REMATCH[2]))
    if [ "$part" -gt "$shown" ] && [ "$part" -lt 4 ] && [ "${BASH_REMATCH[2]}" -ge 20 ]; then
      shown=$part
      say "  ${BASH_REMATCH[1]} of ${BASH_REMATCH[2]} build steps"
    fi
  done
}

build_with=()  # what runs the build: nothing, or deploy/lib/aside

build() {  # DIRECTORY TARGET...; needs pipefail
  local dir=$1
  shift
  "${build_with[@]}" ninja -C "$dir" "$@" 2>&1 | tee "$dir/build.log" | show_progress || { tail -40 "$dir/build.log" >&2; return 1; }
}
