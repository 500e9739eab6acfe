#!/bin/sh
# Notes who is to be called; the envelope is on stdin.
set -eu
envelope=$(cat)
printf '%s\n' "$envelope" >>pages.jsonl
