"""Runs of jitney-load, and a server that stalls, to see what they tell."""
import json
import os
import selectors
import socket
import subprocess
import threading
import time

from jitney_server import clean_environment

RUN_S = 60


def command(*arguments):
    return [os.environ["JITNEY_LOAD"], "run", *map(str, arguments)]


def run(*arguments, status=0):
    """Runs to the end; `status` is the exit status that is expected."""
    done = subprocess.run(
        command(*arguments), capture_output=True, text=True, timeout=RUN_S, env=clean_environment()
    )
    assert done.returncode == status, f"exit status {done.returncode}:\n{done.stdout}{done.stderr}"
    return done


def report(*arguments, status=0):
    """The JSON report of a run."""
    return json.loads(run("--json", "-", *arguments, status=status).stdout)


def run_with(arguments, during, number=None):
    """Starts a run, calls `during()`, sends a signal or none: (exit status, stdout, stderr)."""
    process = subprocess.Popen(
        command(*arguments),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=clean_environment(),
    )
    try:
        during()
        if number is not None:
            process.send_signal(number)
        stdout, stderr = process.communicate(timeout=RUN_S)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
    return process.returncode, stdout, stderr


def url(server):
    host, port = server.address
    return f"http://{host}:{port}"


class StallingServer:
    """Answers everything at once, but does nothing for `stall_s` in every `period_s`."""

    ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"

    def __init__(self, stall_s, period_s):
        self._stall_s, self._period_s = stall_s, period_s
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._received = {}
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._serve)
        self.url = "http://127.0.0.1:%d" % self._listener.getsockname()[1]

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._over.set()
        self._thread.join()
        for key in list(self._selector.get_map().values()):
            key.fileobj.close()
        self._selector.close()

    def _serve(self):
        stall_at = time.monotonic() + self._period_s
        while not self._over.is_set():
            if time.monotonic() >= stall_at:
                time.sleep(self._stall_s)  # the stall itself: what is measured
                stall_at += self._period_s
            for key, _ in self._selector.select(0.01):
                self._accept() if key.fileobj is self._listener else self._answer(key.fileobj)

    def _accept(self):
        client, _ = self._listener.accept()
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._received[client] = b""
        self._selector.register(client, selectors.EVENT_READ)

    def _answer(self, client):
        try:
            data = client.recv(65536)
        except ConnectionError:
            data = b""
        if not data:
            self._selector.unregister(client)
            del self._received[client]
            return client.close()
        self._received[client] += data
        head, end, body = self._received[client].partition(b"\r\n\r\n")
        if end and len(body) >= int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0]):
            self._received[client] = b""
            client.sendall(self.ANSWER)
