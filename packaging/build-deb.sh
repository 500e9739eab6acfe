#!/bin/sh
# SPDX-License-Identifier: MIT
# Builds the Debian packages from the files of this tree, with debhelper:
# longstop, and one package for each broker's plugin.
#
#     packaging/build-deb.sh [FOLDER]
#
# The packages are in FOLDER (default: build/deb) when it ends. The maintainer is
# $DEBFULLNAME <$DEBEMAIL>, as for Debian's own tools. ccache is used where it
# is.
set -eu

fail() {
    printf 'build-deb: %s\n' "$*" >&2
    exit 1
}

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
cd "$root"
folder=${1:-build/deb}
mkdir -p "$folder"
folder=$(CDPATH='' cd -- "$folder" && pwd)

for tool in dpkg-buildpackage dh; do
    command -v "$tool" >/dev/null ||
        fail "$tool is missing: apt-get install debhelper dpkg-dev"
done

version=$(sed -n 's/^project(longstop VERSION \([0-9.]*\).*/\1/p' CMakeLists.txt)
[ -n "$version" ] || fail "CMakeLists.txt does not say the version"
maintainer="${DEBFULLNAME:-The Longstop authors} <${DEBEMAIL:-longstop@example.org}>"
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null ||
    stat -c %Y CHANGELOG.md)}
export SOURCE_DATE_EPOCH

# A copy of what is tracked or new, so that no build of ours is packed. Always
# in one place, or ccache would not know the files again.
source="$folder/longstop"
rm -rf "$source"
mkdir "$source"
rm -f "$folder"/longstop*.deb # of other versions
git ls-files -z --cached --others --exclude-standard |
    tar --null --files-from=- --create --ignore-failed-read |
    tar --extract --directory "$source"
cp -R packaging/debian "$source/debian"
sed "s/@MAINTAINER@/$maintainer/" packaging/debian/control.in >"$source/debian/control"
rm "$source/debian/control.in"
cat >"$source/debian/changelog" <<EOF
longstop ($version-1) unstable; urgency=medium

  * What is new stands in changelog.gz beside this file.

 -- $maintainer  $(LC_ALL=C date -R -u -d "@$SOURCE_DATE_EPOCH")
EOF

if command -v ccache >/dev/null; then
    LONGSTOP_CMAKE=-DCMAKE_C_COMPILER_LAUNCHER=ccache
    CCACHE_BASEDIR="$source"
    export LONGSTOP_CMAKE CCACHE_BASEDIR CCACHE_NOHASHDIR=1
    # debhelper gives the build a home of its own.
    CCACHE_DIR=${CCACHE_DIR:-$(ccache --get-config cache_dir)}
    export CCACHE_DIR
fi
cd "$source"
DEB_BUILD_OPTIONS="parallel=$(nproc) ${DEB_BUILD_OPTIONS:-}" \
    dpkg-buildpackage --build=binary --no-sign >"$folder/build.log" 2>&1 || {
    tail -n 40 "$folder/build.log" >&2
    fail "the build failed; all it said is in $folder/build.log"
}
rm -rf "$source"
ls "$folder"/*.deb
