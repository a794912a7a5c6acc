"""Identity through the real Supabase client: accounts, signing in, refreshing, and what is said when it fails."""

import asyncio
from uuid import uuid4

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from adapters.embedded.auth.app import StandIn
from adapters.identity import SupabaseIdentity
from adapters.tokens import TokenVerifier
from commands.ports import Account
from domain.errors import CredentialsWrong, EmailTaken, IdentityUnavailable, InvalidValue
from tests.adapters.conftest import PUBLISHABLE, SECRET
from tests.adapters.embedded.auth.calls import execute

PASSWORD = "correct horse"


@pytest.fixture
def verifier(stand_in: StandIn, http: httpx.AsyncClient) -> TokenVerifier:
    base = stand_in.settings.base
    return TokenVerifier(http, jwks_url=f"{base}/.well-known/jwks.json", issuer=base, audience="authenticated")


@pytest.fixture
async def ada(identity: SupabaseIdentity) -> Account:
    account = Account(user_id=uuid4(), email="ada@example.org")
    await identity.create(account, PASSWORD)
    return account


# Accounts.


async def test_an_account_bears_our_id_and_can_sign_in_at_once(
    identity: SupabaseIdentity, verifier: TokenVerifier, ada: Account
) -> None:
    tokens = await identity.login(ada.email, PASSWORD)

    assert (await verifier.verify(tokens.access_token)).user_id == ada.user_id
    assert tokens.expires_in == 3600


async def test_an_account_made_twice_is_made_once_and_keeps_its_password(
    identity: SupabaseIdentity, ada: Account
) -> None:
    await identity.create(ada, "another password")

    await identity.login(ada.email, PASSWORD)
    with pytest.raises(CredentialsWrong):
        await identity.login(ada.email, "another password")


@pytest.mark.parametrize("email", ["ada@example.org", " Ada@Example.ORG ", "ADA@EXAMPLE.ORG"])
async def test_an_e_mail_has_one_account_however_it_is_spelled(
    identity: SupabaseIdentity, ada: Account, email: str
) -> None:
    del ada

    with pytest.raises(EmailTaken):
        await identity.create(Account(user_id=uuid4(), email=email), PASSWORD)


async def test_the_provider_is_given_one_spelling_of_an_e_mail() -> None:
    seen: list[str] = []

    async def record(request: Request) -> Response:
        seen.append((await request.json())["email"])
        return Response(status_code=503)

    app = Starlette(routes=[Route("/{path:path}", record, methods=["POST"])])
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app)) as http:
        identity = SupabaseIdentity(http, url="http://auth.test", publishable_key=PUBLISHABLE, secret_key=SECRET)
        for spelling in (" Rene\u0301@Example.org", "ren\u00e9@example.org\n"):
            with pytest.raises(IdentityUnavailable):
                await identity.create(Account(user_id=uuid4(), email=spelling), PASSWORD)
            with pytest.raises(IdentityUnavailable):
                await identity.login(spelling, PASSWORD)

    assert seen == ["ren\u00e9@example.org"] * 4


async def test_an_id_has_one_account(identity: SupabaseIdentity, ada: Account) -> None:
    with pytest.raises(EmailTaken):
        await identity.create(Account(user_id=ada.user_id, email="other@example.org"), PASSWORD)


@pytest.mark.parametrize(
    ("password", "reason"), [("", "too short"), ("1234567", "too short"), ("é" * 37, "at most 72 bytes")]
)
async def test_a_password_that_the_provider_refuses_is_an_invalid_value(
    identity: SupabaseIdentity, password: str, reason: str
) -> None:
    with pytest.raises(InvalidValue) as refusal:
        await identity.create(Account(user_id=uuid4(), email="ada@example.org"), password)

    assert refusal.value.facts == {"field": "password", "reason": reason}


@pytest.mark.parametrize("password", ["12345678", "é" * 36, "\x00" * 8, "pass word\n"])
async def test_any_password_of_8_characters_to_72_bytes_works(identity: SupabaseIdentity, password: str) -> None:
    await identity.create(Account(user_id=uuid4(), email="ada@example.org"), password)

    await identity.login("ada@example.org", password)
    with pytest.raises(CredentialsWrong):
        await identity.login("ada@example.org", password + "x")


@pytest.mark.parametrize("email", ["ada", "a b@example.org", "@", "ada@", "x" * 250 + "@example.org", "a\x00@b.org"])
async def test_what_is_no_e_mail_address_is_an_invalid_value(identity: SupabaseIdentity, email: str) -> None:
    with pytest.raises(InvalidValue) as refusal:
        await identity.create(Account(user_id=uuid4(), email=email), PASSWORD)

    assert refusal.value.facts["field"] == "email"


async def test_a_deleted_account_cannot_sign_in_and_its_e_mail_is_free_again(
    identity: SupabaseIdentity, ada: Account
) -> None:
    tokens = await identity.login(ada.email, PASSWORD)

    await identity.delete(ada.user_id)

    with pytest.raises(CredentialsWrong):
        await identity.login(ada.email, PASSWORD)
    with pytest.raises(CredentialsWrong):
        await identity.refresh(tokens.refresh_token)
    await identity.create(Account(user_id=uuid4(), email=ada.email), PASSWORD)


async def test_deleting_an_account_that_is_not_there_changes_nothing(identity: SupabaseIdentity) -> None:
    await identity.delete(uuid4())


# Signing in.


@pytest.mark.parametrize("email", [" ADA@example.org", "Ada@Example.org"])
async def test_the_spelling_of_the_e_mail_does_not_matter(identity: SupabaseIdentity, ada: Account, email: str) -> None:
    del ada

    await identity.login(email, PASSWORD)


@pytest.mark.parametrize(
    ("email", "password"),
    [
        ("ada@example.org", "wrong password"),
        ("ada@example.org", PASSWORD.upper()),
        ("ada@example.org", ""),
        ("ada@example.org", "x" * 73),
        ("nobody@example.org", PASSWORD),
        ("not an address", PASSWORD),
        ("", PASSWORD),
    ],
)
async def test_wrong_credentials_are_one_refusal(
    identity: SupabaseIdentity, ada: Account, email: str, password: str
) -> None:
    del ada

    with pytest.raises(CredentialsWrong) as refusal:
        await identity.login(email, password)

    assert refusal.value.facts == {}


async def test_two_sign_ins_are_two_sessions(identity: SupabaseIdentity, verifier: TokenVerifier, ada: Account) -> None:
    first, second = [await identity.login(ada.email, PASSWORD) for _ in range(2)]

    sessions = {(await verifier.verify(tokens.access_token)).session_id for tokens in (first, second)}
    assert len(sessions) == 2


async def test_many_may_sign_in_at_once_and_each_gets_their_own_tokens(
    identity: SupabaseIdentity, verifier: TokenVerifier
) -> None:
    accounts = [Account(user_id=uuid4(), email=f"child-{n}@example.org") for n in range(10)]
    await asyncio.gather(*(identity.create(account, PASSWORD) for account in accounts))

    tokens = await asyncio.gather(*(identity.login(account.email, PASSWORD) for account in accounts))

    claims = [await verifier.verify(pair.access_token) for pair in tokens]
    assert [claim.user_id for claim in claims] == [account.user_id for account in accounts]


# Refreshing.


async def test_a_refresh_gives_new_tokens_of_the_same_session(
    identity: SupabaseIdentity, verifier: TokenVerifier, ada: Account
) -> None:
    first = await identity.login(ada.email, PASSWORD)

    second = await identity.refresh(first.refresh_token)

    before, after = [await verifier.verify(tokens.access_token) for tokens in (first, second)]
    assert (before.user_id, before.session_id) == (after.user_id, after.session_id)
    assert second.refresh_token != first.refresh_token


async def test_a_client_that_lost_the_answer_gets_the_same_refresh_token_again(
    identity: SupabaseIdentity, ada: Account
) -> None:
    first = await identity.login(ada.email, PASSWORD)

    second = await identity.refresh(first.refresh_token)
    again = await identity.refresh(first.refresh_token)

    assert again.refresh_token == second.refresh_token
    await identity.refresh(second.refresh_token)


async def test_who_shows_a_used_token_ten_seconds_later_is_refused_and_ends_the_family(
    identity: SupabaseIdentity, database: str, ada: Account
) -> None:
    first = await identity.login(ada.email, PASSWORD)
    second = await identity.refresh(first.refresh_token)
    await execute(database, "update auth_standin.refresh_tokens set used_at = used_at - interval '10 seconds'")

    for ended in (first, second):
        with pytest.raises(CredentialsWrong):
            await identity.refresh(ended.refresh_token)


async def test_a_logout_ends_one_session_or_all_and_what_is_over_is_no_error(
    identity: SupabaseIdentity, ada: Account
) -> None:
    phone, tablet, desk = [await identity.login(ada.email, PASSWORD) for _ in range(3)]

    for _ in range(2):
        await identity.logout(phone.access_token, everywhere=False)
    with pytest.raises(CredentialsWrong):
        await identity.refresh(phone.refresh_token)
    await identity.refresh(desk.refresh_token)
    await identity.logout(tablet.access_token, everywhere=True)

    for ended in (tablet, desk):
        with pytest.raises(CredentialsWrong):
            await identity.refresh(ended.refresh_token)


async def test_a_reused_refresh_token_is_refused_and_ends_the_whole_family(
    identity: SupabaseIdentity, ada: Account
) -> None:
    first = await identity.login(ada.email, PASSWORD)
    second = await identity.refresh(first.refresh_token)
    third = await identity.refresh(second.refresh_token)

    for stolen in (first, third, second):
        with pytest.raises(CredentialsWrong):
            await identity.refresh(stolen.refresh_token)


async def test_the_end_of_one_family_leaves_other_sessions_alone(identity: SupabaseIdentity, ada: Account) -> None:
    other = await identity.login(ada.email, PASSWORD)
    first = await identity.login(ada.email, PASSWORD)
    second = await identity.refresh(first.refresh_token)
    await identity.refresh(second.refresh_token)
    with pytest.raises(CredentialsWrong):
        await identity.refresh(first.refresh_token)

    await identity.refresh(other.refresh_token)


async def test_refreshes_at_the_same_time_leave_one_live_refresh_token(
    identity: SupabaseIdentity, ada: Account
) -> None:
    first = await identity.login(ada.email, PASSWORD)

    pairs = await asyncio.gather(*(identity.refresh(first.refresh_token) for _ in range(30)))

    assert len({pair.refresh_token for pair in pairs}) == 1


@pytest.mark.parametrize("token", ["", "unknown", "x" * 5000, "é\x00"])
async def test_an_unknown_refresh_token_is_refused(identity: SupabaseIdentity, token: str) -> None:
    with pytest.raises(CredentialsWrong):
        await identity.refresh(token)


async def test_a_wrong_key_of_ours_is_never_the_callers_fault(
    stand_in: StandIn, http: httpx.AsyncClient, ada: Account
) -> None:
    identity = SupabaseIdentity(http, url=stand_in.settings.url, publishable_key="outdated", secret_key="outdated")

    with pytest.raises(IdentityUnavailable):
        await identity.login(ada.email, PASSWORD)
    with pytest.raises(IdentityUnavailable):
        await identity.delete(ada.user_id)


async def test_no_error_quotes_what_was_sent(identity: SupabaseIdentity, ada: Account) -> None:
    for call in (
        identity.login(ada.email, "canary password"),
        identity.refresh("canary token"),
        identity.create(Account(user_id=uuid4(), email="canary address"), "canary password"),
        identity.create(Account(user_id=uuid4(), email=ada.email), "canary password"),
    ):
        with pytest.raises((CredentialsWrong, InvalidValue, EmailTaken)) as refusal:
            await call

        assert "canary" not in f"{refusal.value!r} {refusal.value} {refusal.value.facts}"


async def test_tokens_do_not_show_in_a_representation(identity: SupabaseIdentity, ada: Account) -> None:
    tokens = await identity.login(ada.email, PASSWORD)

    assert tokens.access_token not in repr(tokens)
    assert tokens.refresh_token not in repr(tokens)
