"""Errors: every refusal and outage as problem+json (RFC 9457); one table says which status each has.

A problem's `type` is the error's name in kebab case, its `detail` the error's docstring. What the caller sent is never
repeated: fields are named, values and unknown names are not, and `instance` is the trace id instead of the address.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from uuid import UUID

import structlog
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match

from api.trace import trace_id_of
from domain import errors

logger = structlog.get_logger()

MEDIA_TYPE = "application/problem+json"


@dataclass(frozen=True, slots=True)
class FieldError:
    """One field that breaks a rule: its path in the request, the rule's stable name, and the rule in words."""

    field: str
    rule: str
    message: str


class BodyMalformed(errors.Refused):
    """The body is not one JSON text: UTF-8 without a byte order mark, no name twice, at most 64 levels deep."""


class BodyTooLarge(errors.Refused):
    """The body is larger than this call takes."""


class ContentTypeUnsupported(errors.Refused):
    """The body must come as application/json in UTF-8."""


class RequestInvalid(errors.Refused):
    """Some fields break their rules; `errors` names each of them."""

    def __init__(self, *broken: FieldError) -> None:
        super().__init__()
        self.broken = broken


class RequestMalformed(errors.Refused):
    """This is not a well-formed HTTP request."""


class HeadersTooLarge(errors.Refused):
    """The request line and headers are larger than this server takes."""


class RequestTooSlow(errors.Refused):
    """The request did not arrive in the time it may take; send it again."""


class AddressUnknown(errors.Refused):
    """There is nothing at this address; /docs lists what there is."""


class MethodNotAllowed(errors.Refused):
    """This address does not answer to this method; the header Allow names those that it does."""


class OriginNotAllowed(errors.Refused):
    """Pages of this origin may not call."""


class QuotaExceeded(errors.Refused):
    """Too many requests; wait as long as Retry-After says."""


class AnswersUnreadable(errors.Refused):
    """Some answers cannot be read; `errors` names their questions: answer them again, in full or just these."""


class TooManyStreams(errors.Refused):
    """This account has as many live streams open as it may; end one of them first."""


class StreamsTaken(errors.Unavailable):
    """The server has as many live streams open as it takes, or is about to stop; try again shortly."""


class TooManyConnections(errors.Unavailable):
    """The server has as many connections as it takes; try again shortly."""


class NotReady(errors.Unavailable):
    """Parts that every request needs are away; `away` names them."""


class UnexpectedFailure(errors.AfterschoolError):
    """Something broke on our side; `trace_id` finds it in the logs."""


@dataclass(frozen=True, slots=True)
class Problem:
    """How an error is answered; `retry_after` is in seconds."""

    status: int
    title: str
    retry_after: int | None = None


PROBLEMS: Mapping[type[errors.AfterschoolError], Problem] = {
    BodyMalformed: Problem(400, "Body malformed"),
    RequestMalformed: Problem(400, "Request malformed"),
    errors.NotSignedIn: Problem(401, "Not signed in"),
    errors.TokenRefused: Problem(401, "Token refused"),
    errors.CredentialsWrong: Problem(401, "Credentials wrong"),
    errors.NotAllowed: Problem(403, "Not allowed"),
    errors.ConsentRequired: Problem(403, "Consent required"),
    OriginNotAllowed: Problem(403, "Origin not allowed"),
    AddressUnknown: Problem(404, "Address unknown"),
    errors.UserUnknown: Problem(404, "User unknown"),
    errors.NotYetRecorded: Problem(404, "Not yet recorded"),
    MethodNotAllowed: Problem(405, "Method not allowed"),
    RequestTooSlow: Problem(408, "Request too slow"),
    errors.AssessmentUnknown: Problem(404, "Assessment unknown"),
    errors.EmailTaken: Problem(409, "E-mail taken"),
    errors.AssessmentExpired: Problem(409, "Assessment expired"),
    errors.AssessmentSubmittedBefore: Problem(409, "Assessment submitted before"),
    errors.RegistrationInProgress: Problem(409, "Registration in progress", retry_after=60),
    errors.ChangedMeanwhile: Problem(412, "Changed meanwhile"),
    BodyTooLarge: Problem(413, "Body too large"),
    ContentTypeUnsupported: Problem(415, "Content type unsupported"),
    errors.Refused: Problem(422, "Refused"),
    errors.InvalidValue: Problem(422, "Invalid value"),
    RequestInvalid: Problem(422, "Request invalid"),
    errors.IdempotencyKeyReused: Problem(422, "Idempotency-Key reused"),
    errors.PairingCodeRefused: Problem(422, "Pairing code refused"),
    errors.GuardianAlready: Problem(422, "Guardian already"),
    AnswersUnreadable: Problem(422, "Answers unreadable"),
    errors.NothingToServe: Problem(422, "Nothing to serve"),
    errors.QuestionsNotServed: Problem(422, "Questions not served"),
    errors.ConsentEnded: Problem(422, "Consent ended"),
    errors.RoleUnchanged: Problem(422, "Role unchanged"),
    errors.ProfileUnchanged: Problem(422, "Profile unchanged"),
    errors.QuestionRefused: Problem(422, "Question refused"),
    errors.QuestionUnchanged: Problem(422, "Question unchanged"),
    errors.PositionAhead: Problem(422, "Position ahead"),
    QuotaExceeded: Problem(429, "Quota exceeded", retry_after=1),
    TooManyStreams: Problem(429, "Too many streams", retry_after=5),
    HeadersTooLarge: Problem(431, "Headers too large"),
    errors.AfterschoolError: Problem(500, "Failure"),
    errors.LogBroken: Problem(500, "Log broken"),
    UnexpectedFailure: Problem(500, "Unexpected failure"),
    errors.Unavailable: Problem(503, "Unavailable", retry_after=1),
    errors.LogUnavailable: Problem(503, "Log unavailable", retry_after=1),
    errors.LogBusy: Problem(503, "Log busy", retry_after=1),
    errors.ClocksDiffer: Problem(503, "Clocks differ", retry_after=30),
    errors.TooContended: Problem(503, "Too contended", retry_after=1),
    errors.ReadsUnrecorded: Problem(503, "Reads unrecorded", retry_after=1),
    errors.IdentityUnavailable: Problem(503, "Identity unavailable", retry_after=1),
    errors.KeysUnusable: Problem(503, "Keys unusable", retry_after=60),
    TooManyConnections: Problem(503, "Too many connections", retry_after=1),
    StreamsTaken: Problem(503, "Streams taken", retry_after=5),
    NotReady: Problem(503, "Not ready", retry_after=1),
}

_BY_STATUS: Mapping[int, type[errors.AfterschoolError]] = {
    404: AddressUnknown,
    405: MethodNotAllowed,
    413: BodyTooLarge,
}


def name_of(error: type[errors.AfterschoolError]) -> str:
    """Return an error's name in kebab case, as it ends its problem's `type`."""
    return re.sub(r"(?<!^)(?=[A-Z])", "-", error.__name__).lower()


def render(error: errors.AfterschoolError, trace_id: str) -> tuple[int, dict[str, str], bytes]:
    """Return status, headers and body of an error's answer."""
    kind = type(error)
    problem = next(PROBLEMS[known] for known in kind.__mro__ if known in PROBLEMS)
    headers = {"content-type": MEDIA_TYPE}
    if isinstance(error, errors.NotSignedIn):  # an error code is for who sent a token (RFC 6750, 3.1)
        refused = isinstance(error, errors.TokenRefused)
        headers["www-authenticate"] = 'Bearer error="invalid_token"' if refused else "Bearer"
    if problem.retry_after is not None:
        headers["retry-after"] = str(error.facts.get("retry_after", problem.retry_after))
    body: dict[str, object] = {
        "type": f"/problems/{name_of(kind)}",
        "title": problem.title,
        "status": problem.status,
        "detail": error.message,
        "instance": UUID(trace_id).urn,
        "trace_id": trace_id,
    }
    if broken := _broken_fields(error):
        body["errors"] = [asdict(field) for field in broken]
    if isinstance(error, NotReady):
        body["away"] = error.facts["away"]
    if isinstance(error, AnswersUnreadable):
        body |= {name: error.facts.get(name, unknown) for name, unknown in (("errors", []), ("rounds_left", 0))}
    if isinstance(error, QuotaExceeded):
        body["violated-policies"] = error.facts.get("policies", [])
    return problem.status, headers, json.dumps(body, separators=(",", ":")).encode()


def answer_error(request: Request, error: errors.AfterschoolError) -> Response:
    """Answer with an error's problem, and leave a line in the log that its trace id finds."""
    trace_id = trace_id_of(request)
    status, headers, body = render(error, trace_id)
    if status >= 500:  # noqa: PLR2004  the classes of HTTP status
        logger.warning("request_failed", error=type(error).__name__, status=status, trace_id=trace_id)
    else:
        operation = getattr(request.scope.get("route"), "operation", "none")
        logger.info("refused", problem=name_of(type(error)), status=status, operation=operation, trace_id=trace_id)
    return Response(body, status, headers)


async def on_error(request: Request, error: Exception) -> Response:
    """Answer an error that we know by name."""
    if not isinstance(error, errors.AfterschoolError):
        raise error
    return answer_error(request, error)


async def on_lost(request: Request, _error: Exception) -> Response:
    """Answer a query whose connection to Postgres broke or whose time was up."""
    return answer_error(request, errors.Unavailable())


async def on_http_exception(request: Request, error: Exception) -> Response:
    """Answer what the framework itself refuses, such as an unknown address."""
    if not isinstance(error, HTTPException):
        raise error
    otherwise = RequestMalformed if error.status_code < 500 else UnexpectedFailure  # noqa: PLR2004  "
    response = answer_error(request, _BY_STATUS.get(error.status_code, otherwise)())
    response.headers.update(error.headers or {})
    if "allow" in response.headers:
        response.headers["allow"] = ", ".join(_methods_here(request))
    return response


def _methods_here(request: Request) -> list[str]:
    """Return what an address can be asked with: every operation is a route of its own, and names only itself."""
    matching = (route for route in request.app.routes if route.matches(request.scope)[0] != Match.NONE)
    return sorted({method for route in matching for method in getattr(route, "methods", None) or ()})


def _broken_fields(error: errors.AfterschoolError) -> tuple[FieldError, ...]:
    match error:
        case RequestInvalid():
            return error.broken
        case errors.InvalidValue():
            facts = error.facts
            return (FieldError(str(facts.get("field", "")), "invalid-value", str(facts.get("reason", ""))),)
        case _:
            return ()
