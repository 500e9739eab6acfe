#!/bin/sh
# Gets the envelope on stdin. Exit 0 is done, 65 is dead at once, all else is
# tried again; what it prints is kept with a failed attempt.
set -eu
envelope=$(cat)
printf '%s %s\n' "$LONGSTOP_EVENT_TYPE" "$LONGSTOP_EVENT_ID" >>deployed.txt
printf '%s\n' "$envelope" >>deployed.jsonl
