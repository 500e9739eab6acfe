#!/bin/sh
# SPDX-License-Identifier: MIT
# Every test there is: installs what is missing of the tools, then runs all
# suites (tests/run.py says which; --list prints them). Works from anywhere,
# and without a network once the packages are there.
set -eu

packages="gcc clang libc6-dev make ninja-build cmake pkg-config
    libcurl4-openssl-dev libsqlite3-dev libcjson-dev libyaml-dev libev-dev
    libssl-dev zlib1g-dev libexpat1-dev libcmocka-dev git python3 ccache clang-format-14
    clang-tidy-14 cppcheck codespell shellcheck docker-registry python3-yaml
    python3-jsonschema nghttp2-server libnats-dev nats-server libhiredis-dev redis-server
    libpq-dev postgresql pgbouncer libmosquitto-dev mosquitto mosquitto-clients
    librdkafka-dev librabbitmq-dev rabbitmq-server python3-pika prometheus
    prometheus-alertmanager
    mandoc groff-base zsh fish chromium chromium-driver
    nodejs valgrind systemd debhelper lintian"

# For what is run with --long alone.
case " $* " in
*" --long "*) packages="$packages buildah debootstrap" ;;
esac

fail() {
    printf 'run.sh: %s\n' "$*" >&2
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

apt_get() {
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq \
        -o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=120 "$@"
}

installed() {
    dpkg-query -W -f='${Status}\n' "$1" 2>/dev/null |
        grep -q '^install ok installed$'
}

install_packages() {
    missing=""
    for package in $packages; do
        installed "$package" || missing="$missing $package"
    done
    llhttp=""
    installed libllhttp-dev || installed node-llhttp || llhttp=yes
    [ -n "$missing$llhttp" ] || return 0
    echo "==> packages: asking the mirror what is current"
    apt_get update || fail "apt-get update failed: is there a network?"
    if [ -n "$llhttp" ]; then
        if apt-cache show libllhttp-dev >/dev/null 2>&1; then
            missing="$missing libllhttp-dev"
        else
            missing="$missing node-llhttp"
        fi
    fi
    echo "==> packages: installing$missing"
    hold_services
    # shellcheck disable=SC2086 # a list of words
    apt_get install -y --no-install-recommends $missing >/dev/null ||
        fail "apt-get could not install the packages named above"
    free_services
}

# The registry, Prometheus and the brokers are programs for the tests; their services are
# not wanted, and none is started where nobody said otherwise before.
policy=/usr/sbin/policy-rc.d
held=""

hold_services() {
    [ ! -e "$policy" ] || return 0
    as_root sh -c "printf '#!/bin/sh\nexit 101\n' >$policy && chmod 755 $policy"
    held=yes
    trap free_services EXIT
}

free_services() {
    [ -n "$held" ] || return 0
    as_root rm -f "$policy"
    held=""
}

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
cd "$root"
if command -v apt-get >/dev/null && command -v dpkg-query >/dev/null; then
    install_packages
else
    echo "==> not Debian: taking the tools that are there"
fi
exec python3 tests/run.py "$@"
