#!/bin/sh
# SPDX-License-Identifier: MIT
# Plants an upward include, a failing test and a leak in a copy of the tree,
# one at a time, and demands that the run fails of each, and only then.
set -eu

cd "$(dirname -- "$0")/../.."
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
passed=0
failed=0

# The tree as it is now, without what was built in it.
tar -cf - --exclude=./.git --exclude='./build*' --exclude=./.cache . |
    tar -xf - -C "$copy"

# outcome NAME EXPECTED WORDS SUITE...: runs the suite in the copy; it must end
# with EXPECTED, having said WORDS.
outcome() {
    name=$1
    expected=$2
    words=$3
    shift 3
    code=0
    "$copy/tests/run.py" "$@" >"$copy/said" 2>&1 || code=$?
    if [ "$code" -eq "$expected" ] && grep -q -e "$words" "$copy/said"; then
        passed=$((passed + 1))
        echo "planted: $name: as it should be"
    else
        failed=$((failed + 1))
        cat "$copy/said"
        echo "planted: $name: ended with $code, expected $expected, \"$words\""
    fi
}

# plant FILE EXPRESSION: edits one file of the copy, which must change by it.
plant() {
    cp "$copy/$1" "$copy/kept"
    sed -i -e "$2" "$copy/$1"
    if cmp -s "$copy/$1" "$copy/kept"; then
        echo "planted: $2 changes nothing in $1"
        echo "0 passed, 1 failed"
        exit 1
    fi
}

unplant() {
    cp "$copy/kept" "$copy/$1"
}

units='--only unit --match ^unit\.base\.(bytes|list)$'

outcome "nothing, lint" 0 "0 failed" --only lint
# shellcheck disable=SC2086 # a list of words
outcome "nothing, unit" 0 "0 failed" $units

plant agent/wire/encode.c '2a #include "model/retry.h"'
outcome "an upward include" 1 "is included up from wire" --only lint
unplant agent/wire/encode.c

plant tests/unit/base/test_list.c 's/(&head), 123)/(\&head), 124)/'
# shellcheck disable=SC2086
outcome "a failing test" 1 "0x7b != 0x7c" $units
unplant tests/unit/base/test_list.c

plant agent/base/bytes.c '/^buf_fini/,/^}/s/mem_free(buf->ptr);//'
# shellcheck disable=SC2086
outcome "a leak" 1 "LeakSanitizer: detected memory leaks" $units
unplant agent/base/bytes.c

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
