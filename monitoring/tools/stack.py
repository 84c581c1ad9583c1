#!/usr/bin/python3
"""Prometheus, Alertmanager and node exporter around a running jitney: docker-compose.yml without Docker.

The configurations are those of monitoring/, with the names of hosts replaced by addresses on this machine. What is
stored lies in a temporary folder and goes when this ends.
"""
import argparse
import copy
import contextlib
import signal
import sys
import tempfile
import time
from pathlib import Path

import yaml

from programs import ROOT, Missing, Program, answers, find, free_port

MONITORING = ROOT / "monitoring"
RETENTION = ["--storage.tsdb.retention.time=30d", "--storage.tsdb.retention.size=10GB"]
PORTS = {"prometheus": 9090, "alertmanager": 9093, "node": 9100}


def local_config(config, targets, rules):
    """The configuration of the containers for this machine: targets by job ({"jitney": "127.0.0.1:8001"}), those of
    other jobs left out."""
    config = copy.deepcopy(config)
    config["global"]["external_labels"] = {"env": "local"}
    config["rule_files"] = [str(rules / "*.yml")]
    config["alerting"] = {"alertmanagers": [{"static_configs": [{"targets": [targets["alertmanager"]]}]}]}
    config["scrape_configs"] = [scrape for scrape in config["scrape_configs"] if scrape["job_name"] in targets]
    for scrape in config["scrape_configs"]:
        scrape.pop("dns_sd_configs", None)
        scrape["static_configs"] = [{"targets": [targets[scrape["job_name"]]]}]
    return config


class Stack:
    """
    service     "127.0.0.1:8001"
    rules       the folder of the rules, if not the repository's
    alter       what is done to the configuration of Prometheus before it is written
    ports       {"prometheus": 9090, ...}: wanted; another free one is taken when it is in use
    """

    def __init__(self, folder, service, rules=MONITORING / "prometheus" / "rules", alter=lambda config: config, ports=None):
        self._folder = Path(folder)
        wanted = ports or {}
        self.targets = {name: f"127.0.0.1:{free_port(wanted.get(name, 0))}" for name in PORTS}
        self.targets["jitney"] = service
        config = yaml.safe_load((MONITORING / "prometheus" / "prometheus.yml").read_text())
        self.config_path = self._folder / "prometheus.yml"
        self.config_path.write_text(yaml.safe_dump(alter(local_config(config, self.targets, rules)), sort_keys=False))
        self.programs = {}

    def url(self, name):
        return f"http://{self.targets[name]}"

    def start(self):
        node, alertmanager, prometheus = (self.targets[name] for name in ("node", "alertmanager", "prometheus"))
        self._start("node", f"{self.url('node')}/", find("prometheus-node-exporter"), f"--web.listen-address={node}")
        self._start(
            "alertmanager", f"{self.url('alertmanager')}/-/ready", find("prometheus-alertmanager"),
            f"--config.file={MONITORING / 'alertmanager' / 'alertmanager.yml'}",
            f"--storage.path={self._folder / 'alertmanager'}",
            f"--web.listen-address={alertmanager}", "--cluster.listen-address=",
        )
        self._start(
            "prometheus", f"{self.url('prometheus')}/-/ready", find("prometheus"),
            f"--config.file={self.config_path}", f"--storage.tsdb.path={self._folder / 'tsdb'}",
            f"--web.listen-address={prometheus}", "--enable-feature=exemplar-storage", *RETENTION,
        )
        for program in self.programs.values():
            program.wait_ready()
        return self

    def _start(self, name, url, *command):
        self.programs[name] = Program(self._folder, name, command, url)

    def stop(self):
        for program in reversed(self.programs.values()):
            program.stop()

    def __enter__(self):
        try:
            return self.start()
        except BaseException:
            self.stop()
            raise

    def __exit__(self, *_):
        self.stop()


def parse_arguments():
    parser = argparse.ArgumentParser(prog="script/monitoring", description=__doc__.splitlines()[0])
    parser.add_argument("--service", default="127.0.0.1:8001", metavar="HOST:PORT", help="where jitney serves (default %(default)s)")
    return parser.parse_args()


def show(stack, service):
    if not answers(f"http://{service}/v2/health/live"):
        print(f"jitney does not answer at {service} yet; start it with script/server, or see ServiceDown fire in a minute.\n")
    print(f"Prometheus     {stack.url('prometheus')}/targets   rules at /alerts")
    print(f"Alertmanager   {stack.url('alertmanager')}/")
    print(f"node exporter  {stack.url('node')}/metrics")
    print("\nGrafana is not among Debian's packages: `docker compose up -d` has it, with the dashboards.")
    print("Ctrl-C ends all three and deletes what they stored.", flush=True)


def run_until_interrupted(stack):
    while True:
        for program in stack.programs.values():
            if not program.running:
                raise RuntimeError(f"{program.name} has ended:\n{program.log_tail()}")
        time.sleep(0.5)


def main():
    arguments = parse_arguments()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with tempfile.TemporaryDirectory(prefix="jitney-monitoring-") as folder, contextlib.suppress(KeyboardInterrupt):
        with Stack(folder, arguments.service, ports=PORTS) as stack:
            show(stack, arguments.service)
            run_until_interrupted(stack)
    print("ended")


if __name__ == "__main__":
    try:
        main()
    except (Missing, RuntimeError) as error:
        sys.exit(str(error))
