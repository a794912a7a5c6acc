"""Answers: users and sessions in the shapes of Supabase Auth."""

from datetime import UTC, datetime
from uuid import uuid5

from adapters.embedded.auth.access_tokens import LIFETIME
from adapters.embedded.auth.users import User


def user_json(user: User) -> dict[str, object]:
    """Return a user as the contract shows it."""
    confirmed, signed_in = _moment(user.confirmed_at), _moment(user.last_sign_in_at)
    answer: dict[str, object] = {
        "id": str(user.id),
        "aud": "authenticated",
        "role": user.role,
        "email": user.personal.email,
        "email_confirmed_at": confirmed,
        "phone": "",
        "confirmed_at": confirmed,
        "last_sign_in_at": signed_in,
        "app_metadata": user.personal.app_metadata,
        "user_metadata": user.personal.user_metadata,
        "identities": [_identity(user)],
        "created_at": _moment(user.created_at),
        "updated_at": _moment(user.updated_at),
        "is_anonymous": False,
    }
    if user.banned_until is not None:
        answer["banned_until"] = _moment(user.banned_until)
    return answer


def session_json(user: User, access_token: str, expires_at: int, refresh_token: str) -> dict[str, object]:
    """Return a session as the contract shows it."""
    return {
        "access_token": access_token,
        "token_type": "bearer",
        "expires_in": LIFETIME,
        "expires_at": expires_at,
        "refresh_token": refresh_token,
        "user": user_json(user),
    }


def _identity(user: User) -> dict[str, object]:
    confirmed = user.confirmed_at is not None
    return {
        "identity_id": str(uuid5(user.id, "email")),
        "id": str(user.id),
        "user_id": str(user.id),
        "identity_data": {
            "email": user.personal.email,
            "email_verified": confirmed,
            "phone_verified": False,
            "sub": str(user.id),
        },
        "provider": "email",
        "last_sign_in_at": _moment(user.last_sign_in_at),
        "created_at": _moment(user.created_at),
        "updated_at": _moment(user.updated_at),
        "email": user.personal.email,
    }


def _moment(at: datetime | None) -> str | None:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z") if at else None
