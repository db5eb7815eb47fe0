"""A plane that is none: it records what arrives and answers as it is told to.

It speaks HTTP and the framed lane on real sockets, and knows how to fail: a fault is
taken from ``faults`` with every request.
"""

import collections
import json
import os
import socket
import struct
import threading

KINDS = {
    "steps": "step", "epochs": "epoch", "snapshots": "snapshot", "probes": "probe", "acks": "ack", "rollbacks": "rollback",
    "fallbacks": "fallback", "profiles": "profile", "close": "close",
}
OPS = ["", "step", "epoch", "snapshot", "probe", "ack", "rollback", "fallback", "profile", "close"]


def problem(kind, status, field="", hint=""):
    return status, {"type": "urn:esper:problem:" + kind, "title": kind, "status": status, "detail": "because", "kind": kind, "field": field, "hint": hint}


def method_only(kind):
    """Whether a request reports nothing."""
    return kind in ("directives", "status", "key", "protocol")


class Plane:
    """``brain(kind, body)`` gives the document of an answer, or (status, problem)."""

    def __init__(self, folder, brain, lane=True):
        self.path = os.path.join(folder, "s")
        self.brain, self.faults = brain, collections.deque()
        self.records = []  # (kind, body), each once
        self.requests = 0  # everything that arrived
        self.most = 0  # lane requests that were outstanding at a time
        self.broken = []  # what the brain has raised
        self._known, self._lock, self._socks = {}, threading.RLock(), []
        self._threads = []
        self._listen(self.path, self._http)
        if lane:
            self._listen(self.path + ".fast", self._lane)

    @property
    def address(self):
        return "unix:" + self.path

    def close(self):
        for s in list(self._socks):
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            s.close()
        for t in self._threads:
            t.join(5)
        for p in (self.path, self.path + ".fast"):
            if os.path.exists(p):
                os.remove(p)

    def kinds(self):
        return [k for k, _ in self.records]

    def _listen(self, path, serve):
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(path)
        listener.listen(16)
        self._socks.append(listener)

        def loop():
            while True:
                try:
                    conn, _ = listener.accept()
                except OSError:
                    return
                self._socks.append(conn)
                t = threading.Thread(target=self._guard, args=(serve, conn), daemon=True)
                self._threads.append(t)
                t.start()

        t = threading.Thread(target=loop, daemon=True)
        self._threads.append(t)
        t.start()

    def _guard(self, serve, conn):
        try:
            serve(conn)
        except (OSError, ValueError, struct.error):
            pass
        except Exception as e:  # noqa: BLE001: of a test's own brain
            self.broken.append(e)
        finally:
            try:
                conn.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            conn.close()

    def decide(self, kind, raw):
        """The answer to a request: that of the record, if it was recorded."""
        with self._lock:
            self.requests += 1
            fault = self.faults.popleft() if self.faults else None
            if fault == "cut":
                raise OSError("cut before anything was recorded")
            if callable(fault):
                got = fault(kind, json.loads(raw or b"{}"))
                if got is not None:
                    return got, None
                fault = None
            key = (kind, raw)
            if key not in self._known or method_only(kind):
                got = self.brain(kind, json.loads(raw or b"{}"))
                if not isinstance(got, tuple):
                    got = (200, got)
                if got[0] == 200 and not method_only(kind):
                    self.records.append((kind, json.loads(raw or b"{}")))
                    self._known[key] = got
                return got, fault
            return self._known[key], fault

    def _http(self, conn):
        f = conn.makefile("rb")
        while True:
            line = f.readline().decode()
            if not line:
                return
            method, path, _ = line.split()
            length = 0
            while (h := f.readline().decode().strip()):
                name, _, value = h.partition(":")
                if name.lower() == "content-length":
                    length = int(value)
            raw = f.read(length)
            (status, doc), fault = self.decide(self._kind(method, path), raw)
            body = b"" if status == 204 else json.dumps(doc).encode()
            media = "application/json" if status == 200 else "application/problem+json"
            data = f"HTTP/1.1 {status} X\r\nContent-Type: {media}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body
            self._send(conn, data, fault)

    @staticmethod
    def _kind(method, path):
        parts = path.partition("?")[0].strip("/").split("/")
        if parts == ["v1", "runs"]:
            return "open"
        if parts == ["v1", "protocol"]:
            return "protocol"
        if parts[:2] == ["v1", "keys"]:
            return "key"
        if len(parts) == 3:
            return "status"
        return KINDS.get(parts[3], parts[3])

    def _lane(self, conn):
        f = conn.makefile("rb")

        def frame():
            (n,) = struct.unpack("<I", f.read(4))
            return f.read(n)

        hello = json.loads(frame())
        self._frame(conn, json.dumps({"protocol": 1, "run": hello["run"]}).encode())
        while True:
            data = frame()
            (status, doc), fault = self.decide(OPS[data[0]], data[1:])
            body = struct.pack("<H", status) + json.dumps(doc).encode()
            self._send(conn, struct.pack("<I", len(body)) + body, fault)

    def _frame(self, conn, payload):
        conn.sendall(struct.pack("<I", len(payload)) + payload)

    @staticmethod
    def _send(conn, data, fault):
        if fault == "cut after":
            raise OSError("recorded, and no answer")
        if fault == "half":
            conn.sendall(data[: len(data) // 2])
            raise OSError("half an answer")
        if fault == "head":
            conn.sendall(data[:20])
            raise OSError("half of its head")
        if fault == "garbage":
            data = b"\xff\xfe" * 40 + b"\r\n\r\n"
        if fault == "slow":
            threading.Event().wait(0.6)
        conn.sendall(data)


def answer(**changed):
    """An answer to a step, whole."""
    out = {
        "seq": "1", "run": "run-1", "incarnation": 1, "step": "0", "lineage": 0, "weights": [], "seeds": [], "snapshot": False,
        "profile": "0", "probes": [], "emergency": "L1_NOTICE", "directives": [], "fast_room": "0", "cursor": "0", "overtaken": False,
    }
    out.update(changed)
    return out


def opened(places, **changed):
    return {
        **answer(), "protocol": 1, "resumed": False, "faulted": [], "origin": "esper/test", "keys": [], "admin_key": "",
        "snapshot_every": "10", "quick_from": "4194304", "places": places, "rule": {"aggregation": "mean", "pcgrad_mean": False}, **changed,
    }
