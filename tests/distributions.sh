#!/bin/bash
# Both commands of README.md on each release of Debian that smoe holds to, as a newcomer has it: a debootstrap with nothing else in it, and
# a clone of the last commit. docs/testing.md says when each was last seen to pass. Not in CI: a release takes half an hour.
#   tests/distributions.sh [RELEASE ...]    bookworm and trixie; as root, with debootstrap and git
# The last lines tell for each release and command whether it passed. Logs and releases lie in build/distributions, one after another.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1

releases=("$@")
[ $# -gt 0 ] || releases=(bookworm trixie)
[ "$(id -u)" -eq 0 ] || { echo "$0: needs root, for chroot and mount" >&2; exit 2; }
command -v debootstrap >/dev/null || { echo "$0: needs debootstrap: apt-get install debootstrap" >&2; exit 2; }
folder=$PWD/build/distributions
mkdir -p "$folder"
results=()
root=

leave() {
    [ -n "$root" ] || return 0
    for mount in dev/pts dev/shm dev proc; do
        if mountpoint -q "$root/$mount"; then umount "$root/$mount"; fi
    done
    root=
}
trap leave EXIT

# try RELEASE NAME COMMAND: in the clone, with what a newcomer's shell has.
try() {
    local log=$folder/$1-$2.log status=passed
    chroot "$root" /usr/bin/env -i HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin TERM=dumb LANG=C.UTF-8 \
        bash -c "cd /root/smoe && $3" >"$log" 2>&1 || status="FAILED, see $log"
    results+=("$1 $2: $status; $(tail -n 1 "$log")")
}

for release in "${releases[@]}"; do
    root=$folder/$release
    if [ ! -e "$root/etc/debian_version" ]; then
        debootstrap --variant=minbase --include=ca-certificates "$release" "$root" >"$folder/$release.log" 2>&1 || {
            results+=("$release: untried, see $folder/$release.log")
            root=
            continue
        }
    fi
    rm -rf "$root/root/smoe"
    git clone -q . "$root/root/smoe"
    cp /etc/resolv.conf "$root/etc/resolv.conf"
    mount -t proc proc "$root/proc"
    mount --bind /dev "$root/dev"
    mount --bind /dev/pts "$root/dev/pts"
    mount -t tmpfs shm "$root/dev/shm"
    try "$release" demo './setup.sh && scons demo'
    try "$release" test './setup.sh && scons test'
    leave
done

printf '%s\n' "${results[@]}"
[[ "${results[*]}" != *FAILED* && "${results[*]}" != *untried* ]]
