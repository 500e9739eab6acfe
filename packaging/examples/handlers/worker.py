#!/usr/bin/env python3
"""Notes the order of each event in the file named by the first argument."""
import json
import sys

with open(sys.argv[1], "a", encoding="utf-8") as orders:
    for line in sys.stdin:
        event = json.loads(line)
        answer = {"id": event["id"], "ok": True}
        try:
            print(json.dumps(event["data"]), file=orders, flush=True)
        except KeyError:
            answer.update(ok=False, retry=False, error="no data in it")
        print(json.dumps(answer), flush=True)
