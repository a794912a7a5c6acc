"""Admin calls: what the holder of the secret key may do with accounts."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from uuid import UUID, uuid4

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from adapters.embedded.auth.answers import user_json
from adapters.embedded.auth.bodies import Attributes, Deletion, only_email, read_ban, read_body, read_email, read_id
from adapters.embedded.auth.gate import Gate
from adapters.embedded.auth.passwords import Passwords, check_new_password
from adapters.embedded.auth.refusals import user_not_found, validation_failed
from adapters.embedded.auth.users import NewUser, Personal, User, merge, new_personal

PAGE = 50
LARGEST_PAGE = 1000
_DIGITS = 9
_NIL = UUID(int=0)


@dataclass(frozen=True, slots=True)
class AdminCalls:
    """Make, list, show, change and delete accounts."""

    gate: Gate
    passwords: Passwords

    async def create(self, request: Request) -> Response:
        """Make an account, with an id of the administrator's choice if one is given."""
        self.gate.check_admin(request)
        asked = await read_body(request, Attributes)
        user_id = read_id(asked.id) if asked.id else uuid4()
        if user_id == _NIL:
            raise validation_failed("ID cannot be a nil uuid")
        email = read_email(only_email(asked.email or "", asked.phone or ""))
        banned_until = read_ban(asked.ban_duration or "")
        new = NewUser(
            id=user_id,
            personal=new_personal(email, asked.app_metadata or {}, asked.user_metadata or {}),
            password=await self._new_password(asked),
            confirmed=asked.email_confirm,
            role=asked.role or "authenticated",
            banned_until=banned_until,
        )
        return JSONResponse(user_json(await self.gate.users.create(new)))

    async def list(self, request: Request) -> Response:
        """Show one page of accounts, newest first."""
        self.gate.check_admin(request)
        page, per_page = _number(request, "page", 1), min(_number(request, "per_page", PAGE), LARGEST_PAGE)
        users, total = await self.gate.users.page(page, per_page)
        answer = {"users": [user_json(user) for user in users], "aud": "authenticated"}
        return JSONResponse(answer, headers={"x-total-count": str(total)})

    async def show(self, request: Request) -> Response:
        """Show one account."""
        self.gate.check_admin(request)
        return _answer(await self.gate.users.find(_id(request)))

    async def change(self, request: Request) -> Response:
        """Change what is named; metadata are merged, and a null takes its key away."""
        self.gate.check_admin(request)
        user_id, asked = _id(request), await read_body(request, Attributes)
        email = read_email(asked.email) if asked.email else None
        banned_until = read_ban(asked.ban_duration or "")
        password = await self._new_password(asked)

        def alter(user: User) -> User:
            was = user.personal
            return replace(
                user,
                personal=Personal(
                    email=email or was.email,
                    app_metadata=merge(was.app_metadata, asked.app_metadata or {}),
                    user_metadata=merge(was.user_metadata, asked.user_metadata or {}),
                ),
                password=password or user.password,
                role=asked.role or user.role,
                confirmed_at=user.confirmed_at or (datetime.now(UTC) if asked.email_confirm else None),
                banned_until=banned_until if asked.ban_duration else user.banned_until,
            )

        return _answer(await self.gate.users.change(user_id, alter))

    async def delete(self, request: Request) -> Response:
        """Remove an account for good."""
        self.gate.check_admin(request)
        user_id, asked = _id(request), await read_body(request, Deletion)
        if asked.should_soft_delete:
            raise validation_failed("The stand-in deletes for good only")
        if not await self.gate.users.delete(user_id):
            raise user_not_found()
        return JSONResponse({})

    async def _new_password(self, asked: Attributes) -> str | None:
        if asked.password_hash:
            raise validation_failed("The stand-in takes passwords only, no hashes")
        if not asked.password:
            return None
        check_new_password(asked.password)
        return await self.passwords.hash(asked.password)


def _answer(user: User | None) -> Response:
    if user is None:
        raise user_not_found()
    return JSONResponse(user_json(user))


def _id(request: Request) -> UUID:
    return read_id(request.path_params["id"], 404)


def _number(request: Request, name: str, default: int) -> int:
    text = request.query_params.get(name) or str(default)
    if not (text.isascii() and text.isdigit() and len(text) <= _DIGITS and int(text) > 0):
        raise validation_failed(f"Bad Pagination Parameters: {name}")
    return int(text)
