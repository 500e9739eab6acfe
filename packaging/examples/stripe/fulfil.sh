#!/bin/sh
# Ships an order once, whatever comes twice: the key is the same each time.
set -eu
envelope=$(cat)
grep -qxF "$LONGSTOP_IDEMPOTENCY_KEY" shipped.txt 2>/dev/null && exit 0
case $envelope in
*'"payment_status":"paid"'*) ;;
*) echo "it is not paid" >&2; exit 65 ;; # trying again will not help
esac
printf '%s\n' "$LONGSTOP_IDEMPOTENCY_KEY" >>shipped.txt
