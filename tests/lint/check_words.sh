#!/bin/sh
# SPDX-License-Identifier: MIT
# Spelling everywhere, and what shellcheck sees in the scripts.
set -eu
cd "$(dirname -- "$0")/../.."
failed=0
list() {
    git ls-files --cached --others --exclude-standard -- "$@" 2>/dev/null ||
        find "$@" -type f
}
# slips.txt: made on purpose, in tests of what is said about them.
list agent cmake connectors packaging schema tests ./*.md |
    grep -vE '^tests/(data/|fuzz/seeds/|lint/slips)' |
    xargs codespell --ignore-words=tests/lint/slips.txt || failed=1
list packaging tests .ci | grep -E '\.sh$|^\.ci/run$' | xargs shellcheck || failed=1
if command -v cppcheck >/dev/null; then
    cppcheck --quiet --std=c11 --enable=warning,performance,portability \
        --inline-suppr --suppressions-list=tests/lint/cppcheck.txt \
        --error-exitcode=1 -j "$(nproc)" -I agent agent || failed=1
fi
[ "$failed" -eq 0 ] && echo "words: fine"
exit "$failed"
