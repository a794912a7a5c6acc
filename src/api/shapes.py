"""Shapes: the contract's read models as OpenAPI shows them; their JSON is made by the projections."""

from datetime import date, datetime
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, Field


class AsOf(BaseModel):
    """The last event folded in, and the day that today's figures were made for."""

    position: int
    recorded_at: datetime
    date: date


class Graded(BaseModel):
    """Figures of what we marked ourselves."""

    records: int
    mean_score: float | None
    best_score: float | None
    last_score: float | None
    time_spent: int


class SelfReported(BaseModel):
    """Figures of what the student reported."""

    records: int
    mean_score: float | None
    best_score: float | None
    last_score: float | None
    completed: int
    time_spent: int


class TopicSummary(BaseModel):
    """One topic."""

    topic: str
    graded: Graded
    self_reported: SelfReported
    last_activity: datetime | None


class SubjectSummary(BaseModel):
    """One subject and its topics."""

    subject: str
    graded: Graded
    self_reported: SelfReported
    topics: list[TopicSummary]


class Span(BaseModel):
    """What happened in some days that end with today."""

    records: int
    time_spent: int


class Streak(BaseModel):
    """Days in a row with activity, up to today or yesterday."""

    days: int
    through: date | None


class ProgressSummary(BaseModel):
    """How a student is doing: scores in points, times in seconds, days in the student's time zone."""

    student_id: UUID
    as_of: AsOf
    graded: Graded
    self_reported: SelfReported
    subjects: list[SubjectSummary]
    last_7_days: Span
    last_30_days: Span
    streak: Streak
    last_activity: datetime | None


class ShownProfile(BaseModel):
    """What a person told about themself."""

    name: str
    grade_level: int | None
    learning_preferences: list[str]
    timezone: str
    created_at: datetime
    updated_at: datetime


class UserProfile(BaseModel):
    """Who someone is."""

    id: UUID
    email: str
    role: Literal["parent", "student"]
    profile: ShownProfile


class Health(BaseModel):
    """How the server is; `degraded` names parts that are away while those who are signed in go on."""

    status: str
    degraded: list[str] = []


class BrokenField(BaseModel):
    """A field that breaks a rule."""

    field: str
    rule: str
    message: str


class ProblemDocument(BaseModel):
    """Why a request was not served (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    trace_id: str
    errors: list[BrokenField] = []
    away: list[str] = []
    violated_policies: list[str] = Field(default=[], alias="violated-policies")
