"""What an answer is: a document, a refusal, or a word to come again later."""

from __future__ import annotations

from typing import Any, Dict

from . import forms
from .errors import ProtocolError, Refused

__all__ = ["JSON", "NOT_NOW", "document", "later", "of_run", "refused", "transient"]

JSON = "application/json"

_PROBLEM = "application/problem+json"
#: The kinds of problems that another moment may cure, and their statuses.
NOT_NOW = ("starting", "stopping", "storage", "timeout", "too_many_streams", "too_many_lanes")
_STATUSES = (408, 503)


def refused(problem: Dict[str, Any]) -> Refused:
    """The refusal that a problem document is."""
    p = forms.read(forms.PROBLEM, problem)
    return Refused(p["kind"], p["field"], p["hint"], p["status"], p["detail"] or p["title"])


def transient(e: Refused) -> bool:
    """Whether another moment may cure it."""
    return e.status in _STATUSES and e.kind in NOT_NOW or e.status == 429


def later(status: int, data: bytes) -> bool:
    """Whether an answer of the lane asks to come again later."""
    return status in (*_STATUSES, 429) and transient(refused(forms.parse(data)))


def document(status: int, data: bytes, media: str = JSON) -> Dict[str, Any]:
    """The document of an answer, or the refusal that it is."""
    if media not in (JSON, _PROBLEM):
        raise ProtocolError("", f"is {media!r} with status {status}; want {JSON}")
    doc = forms.parse(data)
    if status == 200:
        return doc
    raise refused(doc)


def of_run(answer: Dict[str, Any], run: str) -> Dict[str, Any]:
    """The answer, if it belongs to a run."""
    if answer["run"] != run:
        raise ProtocolError("run", f"is {answer['run']!r}; want {run!r}")
    return answer


