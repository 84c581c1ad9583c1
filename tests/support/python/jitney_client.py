"""A client that does nothing behind one's back: it sends the bytes it is given, in the pieces it
is given, and reads answers strictly.

Timeouts are bounds of failure only: no test waits for one of them when the server is right.
"""
import json
import re
import socket
import struct
from typing import NamedTuple

TIMEOUT_S = 20

_STATUS_LINE = re.compile(rb"HTTP/1\.1 ([0-9]{3}) ([\x20-\x7e]*)")
_HEADER_LINE = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+): ([\x20-\x7e]*)")
_DATE = re.compile(r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT")


class Closed(Exception):
    """The server has closed the connection where an answer was due."""


class Reset(Closed):
    """Not even in order: what one side had sent may be lost."""


class Response(NamedTuple):
    status: int
    reason: str
    headers: dict  # names in lower case
    body: bytes
    interim: tuple  # statuses of 1xx answers in front

    def json(self):
        return json.loads(self.body.decode("utf-8"), parse_constant=_refuse_constant)

    @property
    def closes(self):
        return self.headers.get("connection", "").lower() == "close"


def _refuse_constant(name):
    raise ValueError(f"{name} is not JSON")


class Connection:
    """One connection to `address`: (host, port), or the path of a Unix socket."""

    def __init__(self, address, timeout=TIMEOUT_S, receive_buffer=None):
        family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
        self.socket = socket.socket(family, socket.SOCK_STREAM)
        if receive_buffer is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(timeout)
        self.socket.connect(address)
        if family == socket.AF_INET:
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._received = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def reset(self):
        """Leaves with a TCP reset."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def send(self, *pieces):
        for piece in pieces:
            self.socket.sendall(piece)

    def send_what_it_takes(self, *pieces):
        """Like send(), but the server may have answered and closed already."""
        try:
            self.send(*pieces)
        except (BrokenPipeError, ConnectionResetError):
            pass

    def end_sending(self):
        self.socket.shutdown(socket.SHUT_WR)

    def _receive(self):
        try:
            piece = self.socket.recv(65536)
        except ConnectionResetError as error:
            raise Reset(str(error)) from error
        if not piece:
            raise Closed(f"end of stream after {self._received[-200:]!r}")
        self._received += piece

    def _take_line(self):
        while b"\r\n" not in self._received:
            self._receive()
        line, self._received = self._received.split(b"\r\n", 1)
        return line

    def _take(self, count):
        while len(self._received) < count:
            self._receive()
        taken, self._received = self._received[:count], self._received[count:]
        return taken

    def _read_head(self):
        line = self._take_line()
        match = _STATUS_LINE.fullmatch(line)
        assert match, f"not a status line: {line!r}"
        headers = {}
        while line := self._take_line():
            header = _HEADER_LINE.fullmatch(line)
            assert header, f"not a header line: {line!r}"
            name = header[1].decode().lower()
            assert name not in headers, f"twice in one answer: {name}"
            headers[name] = header[2].decode()
        return int(match[1]), match[2].decode(), headers

    def read_response(self, to_head=False):
        """One whole answer and not a byte more; raises Closed when there is none."""
        interim = []
        status, reason, headers = self._read_head()
        while 100 <= status < 200:
            assert not headers, f"headers in an interim answer: {headers}"
            interim.append(status)
            status, reason, headers = self._read_head()
        assert _DATE.fullmatch(headers.get("date", "")), f"Date: {headers.get('date')!r}"
        assert re.fullmatch(r"0|[1-9][0-9]*", headers.get("content-length", "")), headers
        assert "transfer-encoding" not in headers
        length = int(headers["content-length"])
        assert length == 0 or "content-type" in headers, "a body without Content-Type"
        body = b"" if to_head else self._take(length)
        return Response(status, reason, headers, body, tuple(interim))

    def read_interim(self):
        """Just the head of an interim answer, e.g. 100 Continue."""
        status, _, headers = self._read_head()
        assert 100 <= status < 200 and not headers, (status, headers)
        return status

    def assert_closed(self):
        """The server ends the connection, and sends nothing more before."""
        try:
            rest = self._received or self.socket.recv(1)
        except ConnectionResetError:
            rest = b""
        assert rest == b"", f"more came: {rest!r}"

    def assert_open(self):
        """The connection is good for another request."""
        response = self.ask("GET", "/health")
        assert response.status == 200, response

    def ask(self, method, path, body=None, headers=None):
        self.send(request(method, path, body, headers))
        return self.read_response(to_head=method == "HEAD")


def request(method, path, body=None, headers=None):
    """The bytes of one request. `body` is bytes, or anything else to send as JSON."""
    fields = {"Host": "jitney.test"}
    if body is not None and not isinstance(body, bytes):
        body = json.dumps(body, allow_nan=False).encode()
        fields["Content-Type"] = "application/json"
    if body is not None:
        fields["Content-Length"] = str(len(body))
    fields.update(headers or {})
    lines = [f"{method} {path} HTTP/1.1"] + [f"{name}: {value}" for name, value in fields.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + (body or b"")


def ask(address, method, path, body=None, headers=None):
    """One request on a connection of its own."""
    with Connection(address) as connection:
        return connection.ask(method, path, body, headers)


def assert_error(response, status, codes):
    """An error body: exactly a text for people and one of the stable codes."""
    codes = {codes} if isinstance(codes, str) else set(codes)
    assert response.status == status, (response.status, response.body[:300])
    assert response.headers["content-type"].startswith("application/json")
    body = response.json()
    assert set(body) == {"error", "code"}, body
    assert isinstance(body["error"], str) and body["error"], body
    assert body["code"] in codes, (body, codes)
    return body
