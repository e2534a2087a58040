#!/bin/bash
# Installs what the build and the tests need, on Debian and Ubuntu; elsewhere says what to install. Nothing to do takes no time.
#   ./setup.sh        for scons, scons test and scons demo
#   ./setup.sh --ci   also what only .ci/run, scons fuzz and the pictures of src/tools/analyze use: clang, CMake, matplotlib, Pillow,
#                     Chromium; and on Debian's amd64 what cross builds use (tests/cross/README.md), with build/cross
set -euo pipefail

debian=(gcc g++ libc6-dev scons python3 pkg-config libvulkan-dev libvulkan-volk-dev mesa-vulkan-drivers
    vulkan-validationlayers spirv-tools glslang-tools libcjson-dev libcmocka-dev
    libjpeg-dev libpng-dev libwebp-dev libglfw3-dev xvfb xdotool debian-archive-keyring)
debian_ci=(clang cmake make python3-matplotlib python3-pil)
# Ubuntu has Chromium as a snap alone; without it the test of smoe-classify's report in a browser is skipped. libFuzzer is in a package of
# its own since Debian 12.
if grep -qs '^ID=debian' /etc/os-release; then debian_ci+=(chromium libclang-rt-dev); fi
debian_cross=(gcc-mingw-w64-x86-64 libz-mingw-w64-dev wine wine64 xauth dpkg-dev gcc-aarch64-linux-gnu libc6-dev-arm64-cross
    qemu-user-static)
fedora=(gcc gcc-c++ libasan libubsan python3-scons python3 pkgconf-pkg-config vulkan-headers vulkan-loader-devel
    vulkan-volk-devel mesa-vulkan-drivers vulkan-validation-layers spirv-tools glslang cjson-devel libcmocka-devel libjpeg-turbo-devel
    libpng-devel libwebp-devel glfw-devel xorg-x11-server-Xvfb xdotool)
arch=(gcc scons python pkgconf vulkan-headers vulkan-icd-loader volk vulkan-swrast vulkan-validation-layers spirv-tools glslang
    cjson cmocka libjpeg-turbo libpng libwebp glfw xorg-server-xvfb xdotool)
homebrew=(scons python3 pkgconf vulkan-headers vulkan-loader vulkan-volk molten-vk vulkan-validationlayers spirv-tools glslang
    cjson cmocka jpeg-turbo libpng webp glfw)
msys2=(gcc scons python pkgconf vulkan-headers vulkan-loader vulkan-volk vulkan-validation-layers spirv-tools glslang cjson cmocka
    libjpeg-turbo libpng libwebp glfw)

cross=
case "${1-}" in
'') ;;
--ci)
    debian+=("${debian_ci[@]}")
    if [ "$(. /etc/os-release && echo "$ID")-$(dpkg --print-architecture)" = debian-amd64 ]; then
        debian+=("${debian_cross[@]}")
        cross='x86_64-w64-mingw32 aarch64-linux-gnu'
    fi
    ;;
*)
    echo "usage: ./setup.sh [--ci]" >&2
    exit 2
    ;;
esac

if command -v dpkg-query >/dev/null && command -v apt-get >/dev/null; then
    # Of the packages it does not know dpkg-query says nothing but an error.
    installed=" $(dpkg-query -W -f '${Package}=${db:Status-Status} ' "${debian[@]}" 2>/dev/null || true)"
    missing=()
    for package in "${debian[@]}"; do
        case "$installed" in
        *" $package=installed "*) ;;
        *) missing+=("$package") ;;
        esac
    done
    if [ ${#missing[@]} -gt 0 ]; then
        echo "installing: ${missing[*]}"
        as_root=()
        if [ "$(id -u)" -ne 0 ]; then
            command -v sudo >/dev/null || { echo "not root, and no sudo: run apt-get install ${missing[*]} as root" >&2; exit 1; }
            as_root=(sudo)
        fi
        "${as_root[@]}" apt-get update
        "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends "${missing[@]}"
    fi
    for triple in $cross; do
        "$(dirname "$0")/tests/cross/setup.sh" "$triple"
    done
    exit 0
fi

missing=()
for program in scons python3 pkg-config glslangValidator spirv-opt spirv-val; do
    command -v "$program" >/dev/null || missing+=("$program")
done
compiler=$(command -v gcc || command -v clang || true)
[ -n "$compiler" ] || missing+=(gcc)
for header in vulkan/vulkan.h volk.h cjson/cJSON.h cmocka.h jpeglib.h png.h webp/decode.h webp/demux.h GLFW/glfw3.h; do
    if [ -n "$compiler" ] &&
        ! printf '#include <stdio.h>\n#include <%s>\n' "$header" | "$compiler" -DGLFW_INCLUDE_NONE -E -x c - >/dev/null 2>&1; then
        missing+=("$header")
    fi
done
[ ${#missing[@]} -gt 0 ] || exit 0

echo "missing: ${missing[*]}"
echo "This script installs packages on Debian and Ubuntu alone. Please install, by the names of"
case "$(uname -s)" in
Darwin) echo "Homebrew: brew install ${homebrew[*]}" ;;
MINGW* | MSYS*) echo "MSYS2: pacman -S ${msys2[*]/#/mingw-w64-ucrt-x86_64-}" ;;
*)
    if command -v dnf >/dev/null; then
        echo "Fedora: dnf install ${fedora[*]}"
    elif command -v pacman >/dev/null; then
        echo "Arch: pacman -S ${arch[*]}"
    else
        echo "Debian: apt install ${debian[*]}"
        echo "Fedora: dnf install ${fedora[*]}"
        echo "Arch: pacman -S ${arch[*]}"
    fi
    ;;
esac
exit 1
