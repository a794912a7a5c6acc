"""Consent: only guardians give it, only to the policy in force, and it ends exactly once."""

from datetime import datetime, timedelta
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.consent import POLICY, SCOPES, Consent, Terms, age_of_consent, find_consent
from domain.errors import ConsentEnded, InvalidValue, NotAllowed
from domain.events import Scope
from domain.user import User
from tests.domain.people import NOW, a_user

TERMS = Terms(policy_version=POLICY, scopes=("learning", "research"), country="IT")


def a_child() -> tuple[User, User]:
    """Return a child and its guardian."""
    parent, child = a_user("parent"), a_user("student")
    parent.link_child(child, NOW)
    return child, parent


def test_a_guardian_consents_and_it_holds_for_the_purposes_named() -> None:
    child, parent = a_child()
    consent = uuid4()

    child.grant_consent(TERMS, parent.id, consent, NOW)

    held = child.consents[consent]
    assert (held.guardian_id, held.granted_at, held.withdrawn_at) == (parent.id, NOW, None)
    assert [scope for scope in SCOPES if held.allows(scope)] == ["learning", "research"]


@pytest.mark.parametrize("who", ["the child", "a stranger"])
def test_nobody_but_a_guardian_consents(who: str) -> None:
    child, _ = a_child()

    with pytest.raises(NotAllowed):
        child.grant_consent(TERMS, child.id if who == "the child" else uuid4(), uuid4(), NOW)

    assert child.consents == {}


@pytest.mark.parametrize(
    ("policy", "scopes", "field"),
    [("2025-9", ("learning",), "policy_version"), (POLICY, (), "scopes"), (POLICY, ("learning",) * 2, "scopes")],
)
def test_terms_that_mean_nothing_are_refused(policy: str, scopes: tuple[Scope, ...], field: str) -> None:
    child, parent = a_child()

    with pytest.raises(InvalidValue) as refused:
        child.grant_consent(Terms(policy_version=policy, scopes=scopes, country="IT"), parent.id, uuid4(), NOW)

    assert refused.value.facts["field"] == field


def test_any_guardian_withdraws_once() -> None:
    child, parent = a_child()
    other, consent = a_user("parent"), uuid4()
    other.link_child(child, NOW)
    child.grant_consent(TERMS, parent.id, consent, NOW)

    child.withdraw_consent(consent, other.id, NOW + timedelta(days=1))

    assert child.consents[consent].withdrawn_at == NOW + timedelta(days=1)
    assert find_consent(child.consents.values(), "learning") is None
    with pytest.raises(ConsentEnded):
        child.withdraw_consent(consent, parent.id, NOW)


def test_strangers_withdraw_nothing_and_nobody_what_is_not_there() -> None:
    child, parent = a_child()
    consent = uuid4()
    child.grant_consent(TERMS, parent.id, consent, NOW)

    for which, by in ((consent, uuid4()), (consent, child.id), (uuid4(), parent.id)):
        with pytest.raises(NotAllowed):
            child.withdraw_consent(which, by, NOW)


def test_a_consent_to_an_older_policy_allows_nothing() -> None:
    old = Consent(id=uuid4(), guardian_id=uuid4(), policy_version="2025-1", scopes=SCOPES, granted_at=NOW)

    assert not any(old.allows(scope) for scope in SCOPES)


@given(
    st.lists(
        st.tuples(st.uuids(), st.datetimes(), st.booleans(), st.frozensets(st.sampled_from(SCOPES))),
        max_size=6,
        unique=True,
    )
)
def test_the_latest_consent_that_holds_is_found(drawn: list[tuple[UUID, datetime, bool, frozenset[Scope]]]) -> None:
    consents = [
        Consent(
            id=number,
            guardian_id=number,
            policy_version=POLICY,
            scopes=tuple(scopes),
            granted_at=at,
            withdrawn_at=at if ended else None,
        )
        for number, at, ended, scopes in drawn
    ]

    found = find_consent(consents, "learning")

    holding = [one for one in consents if one.withdrawn_at is None and "learning" in one.scopes]
    assert found in holding if holding else found is None
    assert all(found.granted_at >= one.granted_at for one in holding if found)


@pytest.mark.parametrize(("country", "age"), [("US", 13), ("IT", 14), ("FR", 15), ("DE", 16), ("ZZ", 16), ("", 16)])
def test_the_law_of_an_unlisted_country_is_taken_to_be_the_strictest(country: str, age: int) -> None:
    assert age_of_consent(country) == age
