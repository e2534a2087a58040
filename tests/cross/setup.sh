#!/bin/bash
# Makes build/cross/TRIPLE: what a cross build takes from its target's system, and what runs its programs here. On Debian, from
# Debian's own packages; the system's list of packages and its architecture stay as they are. What is there is not made again.
#   tests/cross/setup.sh x86_64-w64-mingw32    sources of cJSON, cmocka and the decoders of pictures, built; headers; wine's folder
#   tests/cross/setup.sh aarch64-linux-gnu     packages for arm64, unpacked: the C library, these libraries, the Vulkan loader, lavapipe
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
    cp -r /usr/include/vulkan /usr/include/vk_video /usr/include/volk.h /usr/include/volk.c "$new/include"
}

# Not every mirror has the sources of security updates: without them those of the release are taken.
unpack_sources() {
    debian_sources deb-src >"$work/sources"
    grep -v security "$work/sources" >"$work/release"
    apt_here amd64 "$work/sources" update
    (cd "$work" && { apt_here amd64 "$work/sources" --only-source source "$@" ||
        apt_here amd64 "$work/release" --only-source source "$@"; }) >"$work/log" 2>&1 || { cat "$work/log" >&2; return 1; }
}

# archive NAME FLAGS FILE...: lib/libNAME.a of C files.
archive() {
    local name=$1 flags=$2
    shift 2
    mkdir "$work/$name"
    # shellcheck disable=SC2086
    (cd "$work/$name" && printf '%s\n' "$@" | xargs -P "$(nproc)" -n 4 "$triple-gcc" -O2 -g -w -ffunction-sections $flags -c)
    "$triple-ar" rcD "$new/lib/lib$name.a" "$work/$name"/*.o
}

# Static and without assembler: what is built here runs in tests. zlib is a package of ./setup.sh --ci.
build_decoders() {
    local jpeg png webp
    jpeg=$(echo "$work"/libjpeg-turbo-*/) png=$(echo "$work"/libpng1.6-*/) webp=$(echo "$work"/libwebp-*/)
    cmake -S "$jpeg" -B "$work/jpeg" -DCMAKE_SYSTEM_NAME=Windows -DCMAKE_SYSTEM_PROCESSOR=x86_64 -DCMAKE_C_COMPILER="$triple-gcc" \
        -DCMAKE_RC_COMPILER="$triple-windres" -DCMAKE_BUILD_TYPE=Release -DCMAKE_INSTALL_PREFIX="$new" -DENABLE_SHARED=0 \
        -DWITH_TURBOJPEG=0 -DWITH_SIMD=0 >/dev/null
    cmake --build "$work/jpeg" --target jpeg-static --parallel "$(nproc)" >/dev/null
    cp "$work/jpeg/libjpeg.a" "$new/lib"
    cp "$jpeg"/{jpeglib,jmorecfg,jerror}.h "$work/jpeg/jconfig.h" "$new/include"
    cp "$png/scripts/pnglibconf.h.prebuilt" "$png/pnglibconf.h"
    archive png "" $(ls "$png"/png*.c | grep -v pngtest)
    cp "$png"/{png,pngconf,pnglibconf}.h "$new/include"
    archive webp "-I $webp" $(ls "$webp"/src/{dec,dsp,utils}/*.c | grep -vE 'mips|neon|msa|enc[^/]*$')
    archive webpdemux "-I $webp" "$webp/src/demux/demux.c"
    cp -r "$webp/src/webp" "$new/include"
}

setup_windows() {
    local source copy original
    unpack_sources cjson cmocka libjpeg-turbo libpng1.6 libwebp
    copy_headers
    mkdir -p "$new/include/cjson" "$new/lib"
    source=$(echo "$work"/cjson-*/)
    archive cjson "-std=c99 -DCJSON_HIDE_SYMBOLS" "$source/cJSON.c"
    cp "$source/cJSON.h" "$new/include/cjson"
    source=$(echo "$work"/cmocka-*/)
    archive cmocka "-std=c99 -DHAVE_VSNPRINTF -DHAVE_SNPRINTF -I $source/include" "$source/src/cmocka.c"
    cp "$source"/include/cmocka*.h "$new/include"
    build_decoders
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
        mesa-vulkan-drivers vulkan-validationlayers libjpeg62-turbo libpng16-16 libwebp7 libwebpdemux2 >/dev/null
    # Without what they depend on: a libc6-dev in this place would hide the compiler's.
    (cd "$work/archives" && apt_here arm64 "$work/sources" download libjpeg62-turbo-dev libpng-dev libwebp-dev >/dev/null)
    for package in "$work"/archives/*.deb; do
        dpkg-deb --extract "$package" "$new/system"
    done
    copy_headers
    cp -r "$new"/system/usr/include/{cjson,cmocka*,j*.h,aarch64-linux-gnu/jconfig.h,libpng16/*.h,webp} "$new/include"
    ln -s system/usr/lib/aarch64-linux-gnu "$new/lib"
    # libpng needs it, and the linker looks nowhere else.
    [ -e "$new/lib/libz.so.1" ] || ln -s ../../../lib/aarch64-linux-gnu/libz.so.1 "$new/lib/libz.so.1"
}

[ $# -eq 1 ] || usage
triple=$1
case "$triple" in
x86_64-w64-mingw32) setup=setup_windows programs="$triple-gcc wine xvfb-run dpkg-source cmake make" ;;
aarch64-linux-gnu) setup=setup_arm64 programs="$triple-gcc qemu-aarch64-static dpkg-deb" ;;
*) usage ;;
esac
[ ! -e "build/cross/$triple/lib/libwebpdemux.a" ] || exit 0 # the newest of its libraries
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
rm -rf "build/cross/$triple"
mv "$new" "build/cross/$triple"
