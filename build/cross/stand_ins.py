"""A model server and a Bot API server on loopback, as small as a gateway's first conversation needs them.

The tests have stricter ones (`tests/harness`); these need no build and work for a binary of any processor.
"""
import json
import re
import threading
import time
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

BOT_TOKEN = "123456789:AAEhBP0av28-not-a-token-anywhere-xyz"


class Server:
    def __init__(self):
        owner = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                owner.answer(self, self.rfile.read(int(self.headers.get("content-length") or 0)))

            do_GET = do_POST

            def log_message(self, *_):
                pass

        listening = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        listening.daemon_threads = True
        self.root = f"http://127.0.0.1:{listening.server_port}"
        threading.Thread(target=listening.serve_forever, daemon=True).start()

    @staticmethod
    def send(request, kind, body):
        try:
            request.send_response(200)
            request.send_header("content-type", kind)
            request.send_header("content-length", str(len(body)))
            request.end_headers()
            request.wfile.write(body)
        except ConnectionError:
            # A gateway that ends does not wait for an answer.
            request.close_connection = True


class Model(Server):
    """Speaks chat completions: says what it heard, or has the command run that it was given and says what came of it."""

    def __init__(self):
        self.voice, self.command, self.paths, self.bodies = "The stand-in", None, [], []
        super().__init__()

    def answer(self, request, body):
        text = body.decode()
        asked = json.loads(text or "{}")
        self.paths.append(request.path)
        self.bodies.append(text)
        last = (asked.get("messages") or [{}])[-1]
        if last.get("role") == "tool":
            delta, finish = {"content": f"it said: {self.plain(last)}"}, "stop"
        elif self.command:
            call = {"name": "exec", "arguments": json.dumps({"command": self.command})}
            self.command = None
            delta, finish = {"tool_calls": [{"index": 0, "id": "call_1", "type": "function", "function": call}]}, "tool_calls"
        else:
            # Before what was said may stand where and when it came from.
            heard = re.sub(r"^\[[^\]]*\] *", "", self.plain(last).strip())
            delta, finish = {"content": f"{self.voice} heard: {heard}"}, "stop"
        chunks = [{"role": "assistant"} | delta, {}]
        events = [{"id": "c", "object": "chat.completion.chunk", "model": "small", "choices": [
            {"index": 0, "delta": chunk, "finish_reason": None if chunk else finish}]} for chunk in chunks]
        lines = [f"data: {json.dumps(event)}\n\n" for event in events] + ["data: [DONE]\n\n"]
        self.send(request, "text/event-stream", "".join(lines).encode())

    @staticmethod
    def plain(message):
        content = message.get("content") or ""
        return content if isinstance(content, str) else " ".join(part.get("text", "") for part in content)


class Bot(Server):
    """The Bot API with one person who writes; what the bot sends is kept."""

    def __init__(self):
        self.waiting, self.sent, self.number = [], [], 1
        super().__init__()

    def say(self, person, text):
        sender = {"id": person, "is_bot": False, "first_name": "Ann"}
        self.waiting.append({"update_id": self.number, "message": {
            "message_id": self.number, "from": sender, "chat": {"id": person, "type": "private", "first_name": "Ann"},
            "date": int(time.time()), "text": text}})
        self.number += 1

    def answer(self, request, body):
        method = request.path.rsplit("/", 1)[-1].split("?")[0]
        kind = request.headers.get("content-type") or ""
        given = json.loads(body or b"{}") if "json" in kind else dict(urllib.parse.parse_qsl(body.decode(errors="replace")))
        result = True
        if method == "getMe":
            result = {"id": 123456789, "is_bot": True, "first_name": "Stand-in", "username": "standin_bot"}
        elif method == "getWebhookInfo":
            result = {"url": "", "has_custom_certificate": False, "pending_update_count": 0}
        elif method == "getUpdates":
            result = self.updates(int(given.get("offset") or 0), min(int(given.get("timeout") or 0), 2))
        elif method in ("sendMessage", "editMessageText"):
            self.sent.append(str(given.get("text")))
            result = {"message_id": 1000 + len(self.sent), "date": int(time.time()), "text": given.get("text"),
                      "chat": {"id": int(given.get("chat_id") or 0), "type": "private"}}
        self.send(request, "application/json", json.dumps({"ok": True, "result": result}).encode())

    def updates(self, offset, limit):
        end = time.monotonic() + limit
        while True:
            self.waiting = [update for update in self.waiting if update["update_id"] >= offset]
            if self.waiting or time.monotonic() >= end:
                return self.waiting
            time.sleep(0.05)
