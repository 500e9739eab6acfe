#!/bin/sh
# SPDX-License-Identifier: MIT
# Layout is clang-format 14's; another version would disagree about details.
set -eu
cd "$(dirname -- "$0")/../.."
format=$(command -v clang-format-14 || command -v clang-format) || {
    echo "clang-format 14 is not installed" >&2
    exit 1
}
case $("$format" --version) in
*"version 14."*) ;;
*)
    echo "$format is not version 14, which the layout is pinned to" >&2
    exit 1
    ;;
esac
find agent tests -name '*.[ch]' -print0 |
    xargs -0 -n 20 -P "$(nproc)" "$format" --dry-run -Werror
echo "format: fine"
