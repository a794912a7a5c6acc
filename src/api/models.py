"""Models: the base of everything that is read from a request, and the kinds of field that requests have.

Text is kept as sent: a rule refuses it or lets it be. Strict means that `"5"` is no number and `1` no boolean.
"""

import re
from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    PlainSerializer,
    PlainValidator,
    StringConstraints,
    WithJsonSchema,
)
from pydantic_core import PydanticCustomError

# Unicode's Cc, Zl and Zp, the byte order mark, and what turns the direction of the text behind it.
_CONTROL = "\\u0000-\\u001f\\u007f-\\u009f\\u2028\\u2029\\u061c\\u200e\\u200f\\u202a-\\u202e\\u2066-\\u2069\\ufeff"
# The other format characters (Cf) of the Basic Multilingual Plane: soft hyphen, joiners, invisible operators, marks.
_FORMAT = (
    "\\u00ad\\u0600-\\u0605\\u06dd\\u070f\\u0890\\u0891\\u08e2\\u180e\\u200b-\\u200d"
    "\\u2060-\\u2065\\u206a-\\u206f\\ufff9-\\ufffb"
)


def _trimmed(without: str) -> str:
    """Return the pattern of text without these characters that neither begins nor ends with a blank."""
    return rf"^[^\s{without}]([^{without}]*[^\s{without}])?$"


Label = Annotated[str, StringConstraints(min_length=1, pattern=_trimmed(_CONTROL + _FORMAT))]
"""Words that name a subject or topic: no control or format characters, no outer blanks."""

Line = Annotated[str, StringConstraints(min_length=1, pattern=_trimmed(_CONTROL))]
"""A line that a person wrote: joiners stay, for some scripts need them."""

Secret = Annotated[str, StringConstraints(min_length=1, max_length=1024, pattern=r"^[^\u0000-\u001f\u007f]+$")]
"""A password or token: taken as it is, but for control characters."""

_WORD = rf"[^\s@.{_CONTROL}{_FORMAT}]+"
EMAIL_PATTERN = rf"^{_WORD}(\.{_WORD})*@{_WORD}(\.{_WORD})+$"
Email = Annotated[str, StringConstraints(max_length=254, pattern=EMAIL_PATTERN)]
"""An address that could be delivered to; whether it is, only a message can tell."""


class Model(BaseModel):
    """Something read from a request: strict types, no unknown fields, no NaN; errors never carry the input."""

    model_config = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False, frozen=True, hide_input_in_errors=True)


def shown_as(example: dict[str, JsonValue]) -> ConfigDict:
    """Return the configuration of a model whose OpenAPI shows this example."""
    return ConfigDict(json_schema_extra={"examples": [example]})


_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT([01]\d|2[0-3]):\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)", re.ASCII)
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


def read_moment(text: object) -> datetime:
    """Return an RFC 3339 moment in UTC; the offset is compulsory, digits past the microsecond are cut off."""
    if isinstance(text, str) and _MOMENT.fullmatch(text.upper()):
        try:
            return datetime.fromisoformat(text.upper()).astimezone(UTC)
        except (ValueError, OverflowError):
            pass
    raise PydanticCustomError("moment", "should be an RFC 3339 date and time with an offset, as 2026-01-31T17:05:00Z")


def read_uuid(text: object) -> UUID:
    """Return a UUID written in its usual 36 characters."""
    if isinstance(text, str) and _UUID.fullmatch(text):
        return UUID(text)
    raise PydanticCustomError("uuid", "should be a UUID of 36 characters")


def to_hundredths(points: float) -> int:
    """Return points as hundredths of a point; the noise that binary fractions make of 0.57 is forgiven, no more."""
    hundredths = round(points * 100)
    if abs(points * 100 - hundredths) > 1e-9:  # noqa: PLR2004  far above the noise, far below a third decimal
        raise PydanticCustomError("two_decimals", "should have at most two decimals")
    return hundredths


def to_points(hundredths: int) -> float:
    """Return hundredths of a point as the number that JSON shows: 87.5, and 87 rather than 87.0."""
    return hundredths / 100 if hundredths % 100 else hundredths // 100


def _two_decimals(points: float) -> float:
    to_hundredths(points)
    return points


Score = Annotated[
    float,
    Field(ge=0, le=100),
    AfterValidator(_two_decimals),
    WithJsonSchema({"type": "number", "minimum": 0, "maximum": 100, "multipleOf": 0.01}),
]
"""Points from 0 to 100 with at most two decimals."""

Moment = Annotated[
    datetime,
    PlainValidator(read_moment),
    PlainSerializer(datetime.isoformat),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
"""A moment with an offset, read into UTC."""

Id = Annotated[
    UUID, PlainValidator(read_uuid), PlainSerializer(str), WithJsonSchema({"type": "string", "format": "uuid"})
]
"""A UUID in its usual spelling."""
