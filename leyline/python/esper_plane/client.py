"""The protocol, request by request: a client of one plane.

Every call returns when what it reports is durable, or raises. A connection that breaks
is made anew and the same bytes are sent again: the plane knows a report that it has
recorded, and gives the recorded answer. So what was asked once is recorded once, however
often the wires are cut in between.

A client is for one thread at a time.
"""

from __future__ import annotations

import collections
import contextlib
import http.client
import os
import ssl
import time
from typing import Any, Callable, Deque, Dict, Iterator, Mapping, Optional, Tuple, TypeVar, Union
from urllib.parse import quote

from . import forms
from .errors import PlaneAway, ProtocolError, Refused
from .lane import OPS, Lane
from .replies import JSON, document, later, of_run, refused, transient
from .transport import TLS, Address, Connection

__all__ = ["Client", "REPORTS"]

T = TypeVar("T")

#: Where each report goes, behind /v1/runs/RUN/.
REPORTS = {
    "step": "steps", "epoch": "epochs", "snapshot": "snapshots", "probe": "probes", "ack": "acks", "rollback": "rollbacks",
    "fallback": "fallbacks", "profile": "profiles", "close": "close",
}
SLOW = 600.0  # seconds of a try, at least, for which the plane reads a whole snapshot: an opening, a snapshot
POLL = 25.0  # seconds after which the plane ends a poll without a directive

_PAUSES = (0.0, 0.05, 0.2, 0.5, 1.0)  # seconds before another try; the last one again and again


class _Broken(Exception):
    """A try that may be repeated."""


class Client:
    """Talks to one plane.

    ``address`` is ``unix:PATH``, ``http://HOST:PORT`` or ``https://HOST:PORT``;
    ``timeout`` is for one try, in seconds; one for which the plane reads a snapshot may
    take longer. ``lane``: reports go over the framed lane
    (``"framed"``), over HTTP (``"http"``), or over the lane where there is one
    (``"auto"``). What to do when the plane is away: ``"stop"`` raises PlaneAway after
    ``tries``; ``"wait"`` goes on trying for ``away_seconds``, or for ever where that is 0.
    """

    def __init__(
        self, address: str, token: Optional[str] = None, tls: Union[TLS, ssl.SSLContext, None] = None, timeout: float = 30.0,
        away: str = "stop", away_seconds: float = 0, lane: str = "auto", tries: int = len(_PAUSES),
    ) -> None:
        """Nothing is connected yet. Raises ValueError for an address or an option that is none."""
        self.address = Address.parse(address)
        if token is not None and not self.address.secure and not self.address.local():
            raise ValueError(f"a token would travel in the clear to {address}; use https")
        if tls is not None and not self.address.secure:
            raise ValueError(f"tls is given, but {address} is not https")
        if lane not in ("auto", "framed", "http") or lane == "framed" and not self.address.path:
            raise ValueError(f"lane {lane!r}: want auto, http, or framed with a unix socket")
        context = tls.context() if isinstance(tls, TLS) else tls
        if self.address.secure and context is None:
            context = TLS().context()
        self.timeout, self._mode, self._tries = timeout, lane, tries
        self.set_away(away, away_seconds)
        self._http = Connection(self.address, timeout, context)
        self._lane: Optional[Lane] = None
        self._sent: Deque[Tuple[str, bytes]] = collections.deque()  # steps without an answer: run, body
        self._headers = {"Accept": JSON}
        if token is not None:
            self._headers["Authorization"] = "Bearer " + token
        self.retries = 0  #: tries that were repeated

    def set_away(self, away: str, seconds: float = 0) -> None:
        """What to do when the plane cannot be reached: see the class."""
        if away not in ("stop", "wait") or seconds < 0:
            raise ValueError(f"away {away!r} for {seconds} seconds: want stop or wait, and no time below 0")
        self.away, self.away_seconds = away, seconds

    @contextlib.contextmanager
    def briefly(self, seconds: float) -> Iterator[None]:
        """Within it, requests are tried once, for so long, whatever ``away`` says.

        The try is not spent on a connection that the plane has closed for its idleness.
        """
        self._http.close()
        before = self.timeout, self.away, self._tries
        self.timeout, self.away, self._tries = min(seconds, self.timeout), "stop", 1
        try:
            yield
        finally:
            self.timeout, self.away, self._tries = before

    # requests

    def open(self, body: Mapping[str, Any]) -> Dict[str, Any]:
        """Open a run, or resume it: the members of RunOpened. Returns the OpenAnswer.

        An opening is recorded with every arrival, so it is sent again only as a resume:
        one that broke on the way and is refused as ``run_exists`` has been recorded, if
        nothing was reported for that run. Else it is a run of before, and the refusal stays.
        """
        body = {"protocol": 1, **body}
        before = self.retries
        try:
            answer = self._post("/v1/runs", body)
        except Refused as e:
            if e.kind != "run_exists" or self.retries == before or body.get("resume") or not self._fresh(str(body["run"])):
                raise
            answer = self._post("/v1/runs", {**body, "resume": True})
        opened = forms.read(forms.OPENED, answer)
        if opened["protocol"] != 1:
            raise ProtocolError("protocol", f"is {opened['protocol']}; this client speaks 1")
        return of_run(opened, str(body["run"]))

    def _fresh(self, run: str) -> bool:
        """Whether a run was opened once, and nothing was reported for it."""
        held = forms.read(forms.HELD, self.status(run))
        return bool(held["incarnation"] == 1 and held["step"] == 0 and held["status"] == "open")

    def report(self, kind: str, run: str, body: Mapping[str, Any]) -> Dict[str, Any]:
        """Send one of REPORTS and return its Answer. Steps must not be outstanding."""
        path, raw = REPORTS[kind], forms.encode(body)
        if self._sent:
            raise ValueError(f"{len(self._sent)} steps are without an answer: receive them first")
        if self._uses_lane():
            status, data = self._persist(lambda: self._over_lane(kind, run, raw))
            doc = document(status, data)
        else:
            doc = self._request("POST", f"/v1/runs/{quote(run, safe='')}/{path}", raw, self._limit(kind))
        return of_run(forms.read(forms.ANSWER, doc), run)

    def _limit(self, kind: str) -> float:
        """Seconds that one try may take. Trying again while the plane reads would only make it read again."""
        return max(self.timeout, SLOW) if kind in ("open", "snapshot") else self.timeout

    def directives(self, run: str, after: int, wait: float = POLL) -> Optional[Dict[str, Any]]:
        """Wait for a directive behind a cursor: the Answer, or None after ``wait`` seconds."""
        path = f"/v1/runs/{quote(run, safe='')}/directives?after={after}"
        until = time.monotonic() + wait

        def poll() -> Optional[Dict[str, Any]]:
            left = max(0.0, until - time.monotonic())
            whole = left >= POLL
            try:
                status, media, data = self._ask("GET", path, None, POLL + self.timeout if whole else left + 0.05)
            except TimeoutError:
                if whole:
                    raise
                return None
            return None if status == 204 else document(status, data, media)

        doc = self._persist(poll)
        return None if doc is None else of_run(forms.read(forms.ANSWER, doc), run)

    def status(self, run: str) -> Dict[str, Any]:
        """What the plane holds of a run, as it says so."""
        return self._request("GET", f"/v1/runs/{quote(run, safe='')}")

    def key(self, key: str) -> Dict[str, Any]:
        """An enrolled command key: ``key``, ``public`` in base64, and whom it speaks for."""
        return forms.read(forms.KEY, self._request("GET", f"/v1/keys/{quote(key, safe='')}"))

    def protocol(self) -> Dict[str, Any]:
        """Which versions of the protocol the plane speaks."""
        return self._request("GET", "/v1/protocol")

    # pipelined steps

    def can_pipeline(self) -> bool:
        """Whether there is a framed lane for steps that are sent ahead."""
        return self._uses_lane()

    def send_step(self, run: str, body: Mapping[str, Any]) -> None:
        """Send a step without waiting. Answers come in this order from ``receive_step``."""
        if not self._uses_lane():
            raise ValueError(f"{self.address.text} has no framed lane, which steps that are sent ahead need")
        raw = forms.encode(body)
        lane = self._lane
        if lane is not None and lane.run == run:
            try:
                lane.send("step", raw, self.timeout)
            except OSError:
                self._drop_lane()  # receive_step sends it again
        self._sent.append((run, raw))

    def outstanding(self) -> int:
        """The number of steps that were sent and not answered yet."""
        return len(self._sent)

    def ready(self) -> bool:
        """Whether an answer to a step is there, so that ``receive_step`` need not wait."""
        return bool(self._sent) and self._lane is not None and self._lane.ready()

    def receive_step(self, run: str) -> Dict[str, Any]:
        """The answer to the oldest step that has none. It is over then, refused or not."""
        if not self._sent:
            raise ValueError("no step is without an answer")
        status, data = self._persist(self._receive)
        self._sent.popleft()
        return of_run(forms.read(forms.ANSWER, document(status, data)), run)

    def _receive(self) -> Tuple[int, bytes]:
        run = self._sent[0][0]
        try:
            if self._lane is None or self._lane.run != run:
                lane = self._open_lane(run)
                for _, raw in list(self._sent):
                    lane.send("step", raw, self.timeout)
            assert self._lane is not None
            got = self._lane.receive(self.timeout)
            if later(got[0], got[1]):  # what was sent behind it is refused too
                self._drop_lane()
            return got
        except BaseException:
            self._drop_lane()  # half of an answer may have been read
            raise

    # the wires

    def close(self) -> None:
        """Close every connection. The client may be used again."""
        self._http.close()
        self._drop_lane()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _uses_lane(self) -> bool:
        if self._mode == "auto":
            self._mode = "framed" if self.address.path and os.path.exists(self.address.path + ".fast") else "http"
        return self._mode == "framed"

    def _open_lane(self, run: str) -> Lane:
        if self._lane is None or self._lane.run != run:
            self._drop_lane()
            self._lane = Lane(self.address.path + ".fast", run, self.timeout)
        return self._lane

    def _drop_lane(self) -> None:
        if self._lane is not None:
            self._lane.close()
            self._lane = None

    def _over_lane(self, kind: str, run: str, raw: bytes) -> Tuple[int, bytes]:
        assert kind in OPS
        try:
            lane = self._open_lane(run)
            lane.send(kind, raw, self.timeout)
            return lane.receive(self._limit(kind))
        except BaseException:
            self._drop_lane()  # an answer that comes later must not be taken for another's
            raise

    def _post(self, path: str, body: Mapping[str, Any]) -> Dict[str, Any]:
        return self._request("POST", path, forms.encode(body), self._limit("open"))

    def _request(self, method: str, path: str, raw: Optional[bytes] = None, limit: float = 0) -> Dict[str, Any]:
        def once() -> Dict[str, Any]:
            status, media, data = self._ask(method, path, raw, limit or self.timeout)
            return document(status, data, media)

        return self._persist(once)

    def _ask(self, method: str, path: str, raw: Optional[bytes], timeout: float) -> Tuple[int, str, bytes]:
        headers = self._headers if raw is None else {**self._headers, "Content-Type": JSON}
        return self._http.ask(method, path, raw, headers, timeout)

    def _persist(self, once: Callable[[], T]) -> T:
        """Try until there is an answer, as often as ``away`` allows."""
        began, tries = time.monotonic(), 0
        while True:
            tries += 1
            try:
                got = once()
                if isinstance(got, tuple) and later(got[0], got[1]):
                    raise _Broken(str(refused(forms.parse(got[1]))))
                return got
            except ssl.SSLCertVerificationError as e:  # another try would see the same certificate
                raise PlaneAway(self.address.text, str(e), tries, "name the issuer of its certificate: tls=TLS(ca=...)") from e
            except (OSError, http.client.HTTPException, _Broken) as e:
                failure: Exception = e
            except Refused as e:
                if not transient(e):
                    raise
                failure = e
            if self._gives_up(tries, time.monotonic() - began):
                raise PlaneAway(self.address.text, f"{type(failure).__name__}: {failure}", tries) from failure
            self.retries += 1
            time.sleep(_PAUSES[min(tries - 1, len(_PAUSES) - 1)])

    def _gives_up(self, tries: int, spent: float) -> bool:
        if self.away == "stop":
            return tries >= self._tries or spent >= SLOW
        return 0 < self.away_seconds <= spent
