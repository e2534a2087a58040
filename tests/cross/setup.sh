#!/bin/bash
# Makes build/cross/TRIPLE: what a cross build takes from its target's system, and what runs its programs here. On Debian, from
# Debian's own packages; the system's list of packages and its architecture stay as they are. What is there is not made again.
#   tests/cross/setup.sh x86_64-w64-mingw32    sources of cJSON and cmocka, built; headers; wine's folder
#   tests/cross/setup.sh aarch64-linux-gnu     packages for arm64, unpacked: the C library, cJSON, cmocka, the Vulkan loader, lavapipe
# The compilers and emulators are packages of ./setup.sh --ci.
set -euo pipefail
cd "$(dirname "$0")/../.."

usage() {
    echo "usage: tests/cross/setup.sh x86_64-w64-mingw32 | aarch64-linux-gnu" >&2
    exit 2
}

# apt_here ARCHITECTURE SOURCES ARGUMENTS...: apt-get with lists, downloads and a state of its own, all below $work.
apt_here() {
    local architecture=$1 sources=$2
    shift 2
    mkdir -p "$work/lists/partial" "$work/archives/partial"
    touch "$work/status"
    apt-get -qq -o Dir::State::lists="$work/lists" -o Dir::State::status="$work/status" -o Dir::Cache="$work" \
        -o Dir::Etc::SourceList="$sources" -o Dir::Etc::SourceParts=/dev/null -o Debug::NoLocking=1 -o APT::Sandbox::User=root \
        -o Acquire::Languages=none -o APT::Get::List-Cleanup=0 -o APT::Architecture="$architecture" \
        -o APT::Architectures="$architecture" "$@"
}

# Debian's own sources of this system, as lines for apt: KIND is deb or deb-src.
debian_sources() {
    apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' 'Origin: Debian' | sort -u |
        sed "s|^|$1 [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] |"
}

copy_headers() {
    mkdir -p "$new/include"
    cp -r /usr/include/vulkan /usr/include/vk_video /usr/include/volk.h /usr/include/volk.c /usr/include/stb "$new/include"
}

setup_windows() {
    local source copy original
    debian_sources deb-src >"$work/sources"
    apt_here amd64 "$work/sources" update
    (cd "$work" && apt_here amd64 "$work/sources" --only-source source cjson cmocka) >/dev/null
    copy_headers
    mkdir -p "$new/include/cjson" "$new/lib"
    source=$(echo "$work"/cjson-*/)
    "$triple-gcc" -std=c99 -O2 -g -ffunction-sections -DCJSON_HIDE_SYMBOLS -c -o "$work/cJSON.o" "$source/cJSON.c"
    "$triple-ar" rcD "$new/lib/libcjson.a" "$work/cJSON.o"
    cp "$source/cJSON.h" "$new/include/cjson"
    source=$(echo "$work"/cmocka-*/)
    "$triple-gcc" -std=c99 -O2 -g -w -DHAVE_VSNPRINTF -DHAVE_SNPRINTF -I "$source/include" -c -o "$work/cmocka.o" "$source/src/cmocka.c"
    "$triple-ar" rcD "$new/lib/libcmocka.a" "$work/cmocka.o"
    cp "$source"/include/cmocka*.h "$new/include"
    WINEPREFIX=$new/wine WINEDEBUG=-all wineboot --init >/dev/null 2>&1
    WINEPREFIX=$new/wine wineserver --wait
    # Wine copies each of its own libraries there, 600 MB of them.
    for copy in "$new"/wine/drive_c/windows/system32/*.*; do
        original=/usr/lib/x86_64-linux-gnu/wine/x86_64-windows/${copy##*/}
        if cmp -s "$copy" "$original"; then
            ln -sf "$original" "$copy"
        fi
    done
}

setup_arm64() {
    local package
    debian_sources deb >"$work/sources"
    apt_here arm64 "$work/sources" update
    apt_here arm64 "$work/sources" install --yes --download-only --no-install-recommends libc6 libcjson-dev libcmocka-dev libvulkan1 \
        mesa-vulkan-drivers vulkan-validationlayers >/dev/null
    for package in "$work"/archives/*.deb; do
        dpkg-deb --extract "$package" "$new/system"
    done
    copy_headers
    cp -r "$new"/system/usr/include/{cjson,cmocka*} "$new/include"
    ln -s system/usr/lib/aarch64-linux-gnu "$new/lib"
}

[ $# -eq 1 ] || usage
triple=$1
case "$triple" in
x86_64-w64-mingw32) setup=setup_windows programs="$triple-gcc wine xvfb-run dpkg-source" ;;
aarch64-linux-gnu) setup=setup_arm64 programs="$triple-gcc qemu-aarch64-static dpkg-deb" ;;
*) usage ;;
esac
[ ! -e "build/cross/$triple" ] || exit 0
if ! grep -q '^ID=debian$' /etc/os-release; then
    echo "tests/cross/setup.sh knows only Debian's packages: fill build/cross/$triple/include and lib by hand" >&2
    exit 1
fi
for program in $programs; do
    command -v "$program" >/dev/null || { echo "$program is missing: run ./setup.sh --ci" >&2; exit 1; }
done
echo "making build/cross/$triple"
mkdir -p build/cross
work=$(mktemp -d "$PWD/build/cross/work.XXXXXX")
trap 'rm -rf "$work"' EXIT
new=$work/new
mkdir "$new"
"$setup"
mv "$new" "build/cross/$triple"
