#!/bin/sh
# Notes each order once, whatever comes twice: the key is the same each time.
set -eu
envelope=$(cat)
grep -qxF "$LONGSTOP_IDEMPOTENCY_KEY" "$1.done" 2>/dev/null && exit 0
case $envelope in
*'"id":'*) ;;
*) echo "no order in it" >&2; exit 65 ;; # trying again will not help
esac
printf '%s\n' "$envelope" >>"$1"
printf '%s\n' "$LONGSTOP_IDEMPOTENCY_KEY" >>"$1.done"
