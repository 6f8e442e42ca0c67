#!/usr/bin/env python3
"""try.py BINARY [EMULATOR ARGUMENT...]: one gateway's life, from `--version` to the end by SIGTERM, with every step checked.

It has a home of its own, a model server and a Bot API server on loopback (`stand_ins.py`), and leaves nothing behind. Needs
only Python. Times are those of the emulator. Memory is the program's alone: its file's pages, and for 32 bits all below 4 GB, where
no emulator has anything of its own.
"""
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

from stand_ins import BOT_TOKEN, Bot, Model

PATIENCE = 120


class Failure(Exception):
    pass


def free_port():
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return listening.getsockname()[1]


def wait(what, ready, limit=PATIENCE):
    end = time.monotonic() + limit
    while time.monotonic() < end:
        found = ready()
        if found:
            return found
        time.sleep(0.1)
    raise Failure(f"waited {limit} s in vain for {what}")


class Home:
    """The program in a home of its own."""

    def __init__(self, program):
        self.program = program
        self.home = pathlib.Path(tempfile.mkdtemp(prefix="openclaw-try-"))
        self.config = self.home / ".openclaw/openclaw.json"
        self.port = free_port()
        self.gateway = None
        self.env = {"HOME": str(self.home), "PATH": "/usr/bin:/bin", "TMPDIR": str(self.home), "TZ": "CET-1CEST,M3.5.0,M10.5.0/3",
                    "OPENCLAW_GATEWAY_PORT": str(self.port)}

    def run(self, *words, status=0):
        done = subprocess.run([*self.program, *words], env=self.env, cwd=self.home, stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=PATIENCE)
        if done.returncode != status:
            raise Failure(f"{' '.join(words)} ended with {done.returncode}: {done.stdout}{done.stderr}")
        return done.stdout

    def first(self):
        """Starts it, and tells how soon it listened and what it holds when it rests."""
        begun = time.monotonic()
        self.start(at_once=True)
        while socket.socket().connect_ex(("127.0.0.1", self.port)) != 0 and time.monotonic() < begun + PATIENCE:
            time.sleep(0.001)
        took = time.monotonic() - begun
        # Before a client brings back the code that was let go of after the start.
        time.sleep(7)
        resting = self.resident()
        self.until_healthy()
        return f"listens after {took * 1000:.0f} ms, at rest {resting / 1024:.1f} MiB"

    def resident(self):
        """KiB of the gateway's own pages."""
        own, kib = False, 0
        is_wide = pathlib.Path(self.program[-1]).read_bytes()[4] == 2
        for line in pathlib.Path(f"/proc/{self.gateway.pid}/smaps").read_text().splitlines():
            if line.startswith("Rss:") and own:
                kib += int(line.split()[1])
            elif "-" in line.split(" ")[0]:
                start = int(line.split("-")[0], 16)
                own = self.program[-1] in line or len(self.program) == 1 or (not is_wide and start < 1 << 32)
        return kib

    def start(self, at_once=False):
        output = open(self.home / "output", "ab")
        self.gateway = subprocess.Popen([*self.program, "gateway"], env=self.env, cwd=self.home, stdin=subprocess.DEVNULL,
                                        stdout=output, stderr=output)
        if not at_once:
            self.until_healthy()

    def until_healthy(self):
        def healthy():
            if self.gateway.poll() is not None:
                raise Failure(f"the gateway ended with {self.gateway.returncode}: {self.said()}")
            answer = subprocess.run([*self.program, "gateway", "call", "health"], env=self.env, cwd=self.home,
                                    stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE)
            return answer.returncode == 0 and '"ok"' in answer.stdout
        wait("health", healthy)

    def said(self):
        return (self.home / "output").read_text(errors="replace")

    def ask(self, text, expected):
        answer = self.run("agent", "-m", text)
        if expected not in answer:
            raise Failure(f"the turn answered {answer!r}, not {expected!r}")

    def end(self):
        if self.gateway and self.gateway.poll() is None:
            self.gateway.kill()
            self.gateway.wait()
        shutil.rmtree(self.home, ignore_errors=True)


def steps(home):
    """Each step's name, and what it does."""
    model, bot = Model(), Bot()

    def version():
        words = home.run("--version")
        if not any(c.isdigit() for c in words):
            raise Failure(f"--version says {words!r}")

    def setup():
        home.run("setup")
        home.run("config", "set", "commands.restart", "true")
        home.run("config", "set", "models.providers.standin", json.dumps({
            "baseUrl": f"{model.root}/v1", "apiKey": "key", "api": "openai-completions",
            "models": [{"id": "small", "name": "small"}]}))
        home.run("config", "validate")

    def builtin():
        if not home.run("agent", "-m", "hi").strip():
            raise Failure("the built-in model says nothing")

    def by_http():
        home.run("models", "set", "standin/small")
        home.ask("are you there", "The stand-in heard: are you there")

    def telegram():
        home.run("config", "set", "channels.telegram", json.dumps({
            "botToken": BOT_TOKEN, "apiRoot": bot.root, "dmPolicy": "allowlist", "allowFrom": ["1001"]}))
        bot.say(1001, "hello by telegram")
        wait("the answer in Telegram", lambda: any("hello by telegram" in text for text in bot.sent))

    def reload():
        model.voice = "After the reload"
        before = home.said().count("reload")
        home.run("config", "set", "models.providers.standin.baseUrl", json.dumps(f"{model.root}/changed/v1"))
        wait("the reload in the log", lambda: home.said().count("reload") > before)
        home.ask("and now", "After the reload heard: and now")
        if not any(path.startswith("/changed/") for path in model.paths):
            raise Failure(f"the changed address was not asked: {model.paths}")

    def restart():
        before = home.said().count("listening")
        home.gateway.send_signal(signal.SIGUSR1)
        wait("the next listening", lambda: home.said().count("listening") > before)
        home.until_healthy()
        home.ask("once more", "heard: once more")

    def kill():
        home.gateway.kill()
        home.gateway.wait()
        home.start()
        kept = home.run("sessions", "--json")
        if "agent:main:main" not in kept:
            raise Failure(f"the sessions are gone: {kept}")
        home.ask("after the kill", "heard: after the kill")
        # What it knows of before: the conversation that the killed process led.
        if not any("are you there" in body for body in model.bodies[-1:]):
            raise Failure("the conversation before the kill is not in the request after it")

    def command():
        home.run("config", "set", "tools.exec.security", "full")
        home.run("config", "set", "tools.exec.ask", "off")
        model.command = "uname -m; echo done-by-$((40+2))"
        # Where the kernel (or the emulator) cannot shut it in, it is asked for.
        is_open = "cannot shut commands of agents in" in home.said()
        home.ask("run it", "Approval required" if is_open else "done-by-42")

    def term():
        home.gateway.send_signal(signal.SIGTERM)
        status = home.gateway.wait(timeout=PATIENCE)
        if status != 0:
            raise Failure(f"SIGTERM ended it with {status}: {home.said()}")

    return [
        ("--version", version), ("setup, config", setup), ("gateway, health", home.first), ("built-in model", builtin),
        ("model server by HTTP", by_http), ("Telegram", telegram), ("reload", reload), ("SIGUSR1", restart),
        ("SIGKILL, recovery", kill), ("a command of the agent", command), ("SIGTERM", term),
    ]


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    binary, emulator = os.path.realpath(sys.argv[1]), sys.argv[2:]
    home = Home([*emulator, binary])
    failed = 0
    try:
        for name, step in steps(home):
            begun = time.monotonic()
            try:
                told = step()
                print(f"   ok    {name} ({time.monotonic() - begun:.1f} s){f': {told}' if told else ''}", flush=True)
            except (Failure, subprocess.TimeoutExpired) as error:
                failed += 1
                print(f"   FAIL  {name}: {error}", flush=True)
                if home.gateway is None or home.gateway.poll() is not None:
                    break
        if failed and home.gateway:
            print("\n".join(home.said().splitlines()[-30:]))
    finally:
        home.end()
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
