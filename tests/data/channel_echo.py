#!/usr/bin/env python3
"""A channel between a folder and a file: a file in `inbox` is a message, a line of `outbox` is an answer."""
import json
import os
import select


def say(**line):
    os.write(1, json.dumps(line).encode() + b"\n")


def lines():
    """What the gateway says, line by line, until it is gone; None when it says nothing."""
    rest = b""
    while True:
        if not select.select([0], [], [], 0.05)[0]:
            yield None
            continue
        piece = os.read(0, 65536)
        if not piece:
            return
        *whole, rest = (rest + piece).split(b"\n")
        yield from map(json.loads, whole)


heard = lines()
hello = next(line for line in heard if line)
inbox, outbox = hello["config"]["inbox"], open(hello["config"]["outbox"], "a+")
os.makedirs(inbox, exist_ok=True)
outbox.seek(0)
sent = {json.loads(line)["id"]: str(n) for n, line in enumerate(outbox)}
say(type="hello", version=1, capabilities=["resend", "plain"])
say(type="status", connected=True, linked=True, self={"id": "echo", "name": "Echo"})

brought = set()  # and not acknowledged yet
for line in heard:
    if line is None:
        for name in sorted(os.listdir(inbox)):
            if name not in brought and len(brought) < hello["window"] and not name.startswith("."):
                brought.add(name)
                person = name.split("-")[0]
                with open(os.path.join(inbox, name)) as file:
                    say(type="inbound", id=name, **{"from": {"id": person}}, text=file.read())
    elif line["type"] == "ack":
        brought.discard(line["id"])
        os.remove(os.path.join(inbox, line["id"]))
    elif line["type"] == "send":
        if line["id"] not in sent:  # else it was sent before, and only the answer was lost
            sent[line["id"]] = str(len(sent))
            outbox.write(json.dumps({"id": line["id"], "to": line["to"], "text": line["text"]}) + "\n")
            outbox.flush()
            os.fsync(outbox.fileno())
        say(type="result", id=line["id"], state="confirmed", messageId=sent[line["id"]])
    elif line["type"] == "ping":
        say(type="pong")
    elif line["type"] == "end":
        break
