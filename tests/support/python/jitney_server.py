"""The real server as a process of the test's own: started on free ports, stopped by its own pid."""
import json
import os
import re
import resource
import signal
import subprocess
import time
from pathlib import Path

import jitney_client

START_S = 30
STOP_S = 40

_LISTENING = re.compile(r"msg=listening address=(\S+) admin=(true|false)")
_SANITIZER = re.compile(
    r"ERROR: AddressSanitizer|ERROR: LeakSanitizer|WARNING: ThreadSanitizer|runtime error:"
)


def binary():
    return os.environ["JITNEY_BINARY"]


def clean_environment(extra=None):
    """JITNEY_* configures the server, so what is meant for the tests must not reach it."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("JITNEY_")}
    return {**kept, **(extra or {})}


def wait_until(condition, what, timeout=jitney_client.TIMEOUT_S):
    """Returns the condition's first true value; the timeout is a bound of failure."""
    end = time.monotonic() + timeout
    while not (value := condition()):
        assert time.monotonic() < end, f"waited {timeout} s for: {what}"
        time.sleep(0.005)
    return value


class Server:
    """
    flags       {"--workers": "1"}; these override the defaults below
    config      a dict, written to a configuration file
    unix        listen on a Unix socket too
    rlimits     {resource.RLIMIT_NOFILE: 64}
    stderr      a file descriptor instead of the file that stderr is kept in
    program     instead of the server that is tested
    """

    def __init__(self, folder, flags=None, config=None, env=None, unix=False, rlimits=None,
                 stderr=None, listen="127.0.0.1:0", program=None):
        self.folder = Path(folder)
        self.log_path = self.folder / "stderr.log"
        self.unix_path = str(self.folder / "jitney.sock") if unix else None
        self.exit_code = None
        self._rlimits = rlimits or {}
        self._program = program or binary()
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(
                self._command(flags or {}, config, listen),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=log if stderr is None else stderr,
                env=clean_environment(env),
                preexec_fn=self._limit if rlimits else None,
            )

    def _command(self, flags, config, listen):
        given = {
            "--admin-listen": "127.0.0.1:0",
            "--models": os.environ["JITNEY_MODELS"],
            "--drain-delay": "0",
            **flags,
        }
        command = [self._program, "--listen", listen]
        if self.unix_path:
            command += ["--listen", f"unix:{self.unix_path}"]
        if config is not None:
            path = self.folder / "jitney.json"
            path.write_text(json.dumps(config, indent=2))
            given["--config"] = str(path)
        for flag, value in given.items():
            command += [flag, value]
        return command

    def _limit(self):
        for limit, value in self._rlimits.items():
            resource.setrlimit(limit, (value, value))

    # --- what it says

    def log(self):
        return self.log_path.read_text(errors="replace")

    def wait_ready(self):
        def ready():
            code = self.process.poll()
            assert code is None, f"the server ended with {code}:\n{self.log()}"
            return "msg=ready" in self.log()

        wait_until(ready, "msg=ready in the log", START_S)
        return self

    def _address(self, admin):
        for address, is_admin in _LISTENING.findall(self.log()):
            if (is_admin == "true") == admin and not address.startswith("unix:"):
                host, port = address.rsplit(":", 1)
                return host, int(port)
        raise AssertionError(f"no listening address in the log:\n{self.log()}")

    @property
    def address(self):
        return self._address(admin=False)

    @property
    def admin_address(self):
        return self._address(admin=True)

    # --- asking it

    def connect(self, **options):
        return jitney_client.Connection(self.address, **options)

    def ask(self, method, path, body=None, headers=None):
        return jitney_client.ask(self.address, method, path, body, headers)

    def metrics(self):
        """{'name{label="value"}': number}, labels in the order of the exposition."""
        text = self.ask("GET", "/metrics").body.decode()
        lines = [line for line in text.splitlines() if line and not line.startswith("#")]
        return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}

    def metric(self, family, **labels):
        """The sum over all series of the family that carry these labels."""
        total = 0.0
        for name, value in self.metrics().items():
            if name.split("{")[0] != family:
                continue
            if all(f'{label}="{wanted}"' in name for label, wanted in labels.items()):
                total += value
        return total

    def wait_metric(self, wanted, family, **labels):
        wait_until(lambda: self.metric(family, **labels) == wanted, f"{family}{labels} == {wanted}")

    # --- its end

    def signal(self, number):
        self.process.send_signal(number)

    def wait_exit(self, timeout=STOP_S):
        self.exit_code = self.process.wait(timeout)
        return self.exit_code

    def assert_no_sanitizer_report(self):
        log = self.log()
        report = _SANITIZER.search(log)
        assert report is None, log[max(report.start() - 200, 0):]

    def stop(self):
        """SIGTERM by its own pid; it must end by itself, and well."""
        if self.exit_code is None:
            self.signal(signal.SIGTERM)
            try:
                self.wait_exit()
            except subprocess.TimeoutExpired:
                self.kill()
                raise AssertionError(f"SIGTERM did not end the server:\n{self.log()[-4000:]}")
            assert self.exit_code == 0, f"exit code {self.exit_code}:\n{self.log()[-4000:]}"
        self.assert_no_sanitizer_report()

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.exit_code = self.process.wait()
