"""Requests of many kinds, good and bad, from a few threads: what the panels are checked with."""
import collections
import contextlib
import http.client
import json
import random
import threading

DIGITS = "/v1/models/digits:predict"
WIDE = "/v1/models/wide:predict"
DIGITS_INPUTS = 64


def shape_of(service, model):
    """How many numbers a row of the model has."""
    connection = http.client.HTTPConnection(service, timeout=10)
    connection.request("GET", f"/v1/models/{model}")
    described = json.load(connection.getresponse())
    connection.close()
    size = 1
    for dimension in described["inputs"][0]["shape"]:
        size *= max(1, dimension)
    return size


def post(path, body, **headers):
    body = body if isinstance(body, bytes) else json.dumps(body).encode()
    return ("POST", path, body, {"Content-Type": "application/json", **headers})


def get(path):
    return ("GET", path, None, {})


def predict(path, inputs, rows, **headers):
    return post(path, {"instances": [[round(random.random(), 2) for _ in range(inputs)] for _ in range(rows)]}, **headers)


def prices(points):
    price, walk = 100.0, []
    for _ in range(points):
        price += random.uniform(-1, 1)
        walk.append(round(price, 2))
    return walk


def indicator(name, points=500, **headers):
    return post(f"/v1/indicators/{name}", {"prices": prices(points), "period": 14}, **headers)


def good(wide_inputs):
    """(weight, request) of everything that is answered 200."""
    return [
        (40, predict(DIGITS, DIGITS_INPUTS, 1)),
        (10, predict(DIGITS, DIGITS_INPUTS, 3)),
        (5, predict(DIGITS, DIGITS_INPUTS, 1, **{"X-Priority": "batch"})),
        (6, predict(WIDE, wide_inputs, 1)),
        *((6, indicator(name)) for name in ("sma", "ema", "rsi")),
        *((1, get(path)) for path in ("/", "/health", "/v1/models", "/v1/models/digits", "/v2/health/ready")),
    ]


def bad(wide_inputs):
    """Of what is not: the client's mistakes, deadlines that pass, more than the queue takes."""
    return [
        (3, post(DIGITS, b'{"instances": [[1, 2')),
        (1, post(DIGITS, {"instances": [["one"] * DIGITS_INPUTS]})),
        (1, post("/v1/models/nobody:predict", {"instances": [[1]]})),
        (1, get("/nowhere")),
        (1, ("B@D", "/", None, {})),  # not HTTP
        (4, predict(WIDE, wide_inputs, 8, **{"X-Request-Timeout-Ms": "1"})),
        (4, predict(WIDE, wide_inputs, 40)),
    ]


def overload(wide_inputs):
    return [(1, predict(WIDE, wide_inputs, 16))]


class Traffic:
    """Threads that each ask, wait for the answer and ask again, until the with block ends. `statuses` counts the
    answers; 0 is none."""

    def __init__(self, service, mixture, threads=4, pause_s=0.0, leaving=0.0):
        self._service = service
        self._weights = [weight for weight, _ in mixture]
        self._requests = [request for _, request in mixture]
        self._pause_s = pause_s
        self._leaving = leaving
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run) for _ in range(threads)]
        self.statuses = collections.Counter()

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _run(self):
        connection = http.client.HTTPConnection(self._service, timeout=35)
        while not self._stop.wait(self._pause_s):
            request, = random.choices(self._requests, self._weights)
            try:
                self.statuses[self._ask(connection, *request)] += 1
            except (OSError, http.client.HTTPException):
                self.statuses[0] += 1
                connection.close()
                self._stop.wait(0.2)
        connection.close()

    def _ask(self, connection, method, path, body, headers):
        connection.request(method, path, body, headers)
        if random.random() < self._leaving:
            connection.close()  # a client that does not wait for its answer
            return 0
        response = connection.getresponse()
        response.read()
        return response.status


@contextlib.contextmanager
def idle_connections(service, count):
    """Clients that asked once and stay: one that never asks is soon sent away."""
    connections = [http.client.HTTPConnection(service, timeout=10) for _ in range(count)]
    with contextlib.ExitStack() as stack:
        for connection in connections:
            stack.callback(connection.close)
            connection.request("GET", "/health")
            connection.getresponse().read()
        yield
