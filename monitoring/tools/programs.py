"""Programs that are started here, and ended by whoever started them: by their own process, never by name."""
import contextlib
import os
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# script/setup unpacks packages there whose installation would start a daemon.
UNPACKED = ROOT / "build" / "tools" / "usr" / "bin"

START_S = 30
STOP_S = 10


class Missing(Exception):
    """A program that is not on this machine."""


def find(name):
    path = shutil.which(name, path=os.pathsep.join([str(UNPACKED), os.environ.get("PATH", ""), "/usr/sbin"]))
    if path is None:
        raise Missing(f"no {name} here; `script/setup test` unpacks it")
    return path


def free_port(wanted=0):
    """The wanted port of the loopback, or any that is free when that one is taken."""
    for port in (wanted, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with contextlib.suppress(OSError):
                probe.bind(("127.0.0.1", port))
                return probe.getsockname()[1]
    raise OSError("no free port on the loopback")


def wait_until(condition, what, seconds):
    """The condition's first true value."""
    end = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > end:
            raise TimeoutError(f"waited {seconds} s for {what}")
        time.sleep(0.1)
    return value


def answers(url):
    try:
        with urllib.request.urlopen(url, timeout=2) as response:
            return response.status == 200
    except OSError:
        return False


class Program:
    """One process, its log in `folder`, ready when `url` answers 200."""

    def __init__(self, folder, name, command, url, environment=None):
        self.name = name
        self.url = url
        self.log_path = Path(folder) / f"{name}.log"
        with open(self.log_path, "ab") as log:
            # A session of its own: Ctrl-C is for us, and we end the others in order.
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment, cwd=folder,
                start_new_session=True,
            )

    def wait_ready(self):
        def ready():
            if self._process.poll() is not None:
                raise RuntimeError(f"{self.name} ended with {self._process.returncode}:\n{self.log_tail()}")
            return answers(self.url)

        try:
            wait_until(ready, f"{self.name} at {self.url}", START_S)
        except TimeoutError as error:
            raise RuntimeError(f"{error}:\n{self.log_tail()}") from None
        return self

    def log_tail(self, lines=15):
        return "\n".join(self.log_path.read_text(errors="replace").splitlines()[-lines:])

    @property
    def running(self):
        return self._process.poll() is None

    def signal(self, number):
        self._process.send_signal(number)

    def kill(self):
        self._process.kill()
        self._process.wait()

    def stop(self):
        if self.running:
            self._process.terminate()
            try:
                self._process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                self.kill()
