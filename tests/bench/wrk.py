"""Predictions of a digit, driven by wrk."""
import json
import pathlib
import re
import subprocess
import sys

from servers import ROOT, cpu_seconds


def drive(port, script, connections, seconds):
    output = subprocess.run(["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "-s", script,
                             f"http://127.0.0.1:{port}/"], capture_output=True, text=True, check=True).stdout
    bad = re.search(r"Non-2xx|Socket errors", output)
    if bad:
        sys.exit(f"wrk saw errors:\n{output}")
    unit = {"us": 1, "ms": 1e3, "s": 1e6}

    def latency(percent):
        value, name = re.search(rf"^\s+{percent}%\s+([\d.]+)(us|ms|s)$", output, re.M).groups()
        return float(value) * unit[name]

    return {"requests": int(re.search(r"(\d+) requests in", output)[1]),
            "rate": float(re.search(r"Requests/sec:\s+([\d.]+)", output)[1]),
            "p50": latency(50), "p99": latency(99)}


def measure(server, script, arguments):
    before = cpu_seconds(server.pids())
    figures = drive(server.port, script, arguments.connections, arguments.seconds)
    figures["cpu"] = (cpu_seconds(server.pids()) - before) * 1e6 / figures["requests"]
    return figures


def predict_script(folder):
    body = json.dumps(json.loads((ROOT / "models/digits/example.json").read_text()), separators=(",", ":"))
    script = pathlib.Path(folder, "predict.lua")
    script.write_text('wrk.method = "POST"\nwrk.path = "/v1/models/digits:predict"\n'
                      'wrk.headers["Content-Type"] = "application/json"\n' f"wrk.body = '{body}'\n")
    return script
