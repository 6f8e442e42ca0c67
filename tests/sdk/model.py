"""A model server for the SDK tests: says words, or calls the tool it is offered; counts what it says.

Speaks chat completions by stream. A message that says "fail" is refused, one that says "break" breaks off in the middle.
"""
import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


def chunk(delta, finish=None):
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return {"id": "c", "object": "chat.completion.chunk", "model": "m", "choices": [choice]}


class Model(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.0"

    def log_message(self, *_):
        pass

    def do_POST(self):
        request = json.loads(self.rfile.read(int(self.headers["content-length"])))
        last = request["messages"][-1]
        text = json.dumps(last.get("content") or "")
        if "fail" in text:
            self.send_response(400)
            self.end_headers()
            self.wfile.write(json.dumps({"error": {"message": "the model refuses"}}).encode())
            return
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        names = [tool["function"]["name"] for tool in request.get("tools", [])]
        if "get_weather" in names and last["role"] != "tool":
            function = {"name": "get_weather", "arguments": '{"city": "Rome"}'}
            call = {"index": 0, "id": "call_1", "type": "function", "function": function}
            pieces = [chunk({"tool_calls": [call]}), chunk({}, "tool_calls")]
        elif "schema" in text and request.get("response_format"):
            pieces = [chunk({"content": '{"city": "Rome"}'}), chunk({}, "stop")]
        else:
            said = ["It is ", "sunny."] if last["role"] == "tool" else ["Hello ", "there."]
            pieces = [chunk({"content": word}) for word in said]
            if "break" in text:
                return self.say(pieces[:1])
            pieces.append(chunk({}, "stop"))
        usage = {"prompt_tokens": 11, "completion_tokens": 5, "total_tokens": 16}
        pieces.append({"id": "c", "object": "chat.completion.chunk", "model": "m", "choices": [], "usage": usage})
        self.say(pieces)
        self.wfile.write(b"data: [DONE]\n\n")

    def say(self, pieces):
        for piece in pieces:
            self.wfile.write(f"data: {json.dumps(piece)}\n\n".encode())
            self.wfile.flush()


server = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Model)
print("listening", flush=True)
server.serve_forever()
