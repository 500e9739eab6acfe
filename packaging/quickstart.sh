#!/bin/sh
# SPDX-License-Identifier: MIT
# From a fresh Debian to a demonstration: installs the packages the build
# needs, builds Release into build/, runs `longstop demo`. What is already
# there is left alone, so it may be run again at any time. Arguments are handed
# to `longstop demo`.
set -eu

packages="gcc libc6-dev make cmake pkg-config libcurl4-openssl-dev
    libsqlite3-dev libcjson-dev libyaml-dev libev-dev libssl-dev zlib1g-dev
    libexpat1-dev"

say() {
    printf '==> %s\n' "$*"
}

fail() {
    printf 'quickstart: %s\n' "$*" >&2
    exit 1
}

as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        fail "packages are missing, and installing them needs root: run" \
            "this script as root, or install sudo"
    fi
}

installed() {
    dpkg-query -W -f='${Status}\n' "$1" 2>/dev/null |
        grep -q '^install ok installed$'
}

missing_packages() {
    for package in $packages; do
        installed "$package" || printf '%s ' "$package"
    done
    # llhttp is a library from Debian 13 on. Debian 12 has its C sources in
    # node-llhttp; what that depends on (Node.js) is installed and never run.
    if ! installed libllhttp-dev && ! installed node-llhttp; then
        printf 'llhttp'
    fi
}

apt_get() {
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq \
        -o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=120 "$@"
}

install_packages() {
    missing=$(missing_packages)
    if [ -z "$missing" ]; then
        say "packages: all there"
        return
    fi
    say "packages: asking the mirror what is current"
    apt_get update || fail "apt-get update failed: is there a network, and is" \
        "/etc/apt/sources.list in order?"
    case $missing in
    *llhttp)
        if apt-cache show libllhttp-dev >/dev/null 2>&1; then
            missing="${missing%llhttp}libllhttp-dev"
        else
            missing="${missing%llhttp}node-llhttp"
        fi
        ;;
    esac
    say "packages: installing $missing"
    # shellcheck disable=SC2086 # a list of words
    apt_get install -y --no-install-recommends $missing >/dev/null ||
        fail "apt-get could not install the packages named above; what it" \
            "said stands above"
}

build() {
    say "build: Release into $root/build"
    mkdir -p build
    log=build/quickstart.log
    if ! cmake -S . -B build -DCMAKE_BUILD_TYPE=Release >"$log" 2>&1; then
        tail -n 20 "$log" >&2
        fail "cmake could not configure the build; all it said is in" \
            "$root/$log (an old build/ may be in the way: remove it)"
    fi
    if ! cmake --build build --parallel "$(nproc)" >>"$log" 2>&1; then
        grep -E -A5 'error:|Error ' "$log" | head -n 40 >&2
        fail "the build failed; all of it is in $root/$log"
    fi
    say "build: $(build/longstop version | head -n 1)"
}

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
cd "$root"

if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
    fail "this script knows Debian's packages only. Elsewhere, install" \
        "CMake 3.25, a C compiler, libcurl, SQLite 3, cJSON, libyaml, libev," \
        "OpenSSL 3, zlib, expat and llhttp, then:" \
        "cmake -S . -B build && cmake --build build && build/longstop demo"
fi

install_packages
build
say "demo: a provider that loses webhooks, and the agent that misses none"
build/longstop demo "$@" ||
    fail "the demo ended with code $?; what it found is said above"
say "next: build/longstop init stripe > longstop.yaml, then build/longstop run"
