"""Consent: what a guardian allows, under which policy, for how long it holds, and where the law draws the line.

Sources: COPPA (16 CFR 312) for children under 13; GDPR article 8, by which each state sets an age from 13 to 16.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from domain.errors import InvalidValue
from domain.events import Scope

POLICY = "2026-1"
"""Version of the policy that consents are given under."""
SCOPES: tuple[Scope, ...] = ("learning", "personalisation", "research")
SIGNED_IN_GUARDIAN = "signed-in-guardian"
"""Method: a guardian who was paired with the child and is signed in. No proof of identity beyond that."""

DEFAULT_AGE = 16
"""Age of consent where a country is not listed: the highest that the GDPR knows."""
_AGES = {
    13: "BE DK EE FI GB IS LV MT NO PT SE US",
    14: "AT BG CY ES IT KR LT",
    15: "CZ FR GR SI",
}
AGE_OF_CONSENT = {country: age for age, countries in _AGES.items() for country in countries.split()}
"""Years from which a person consents alone, by ISO 3166-1 code."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What a guardian is asked to agree to."""

    policy_version: str
    scopes: tuple[Scope, ...]
    country: str
    """ISO 3166-1 code in two capital letters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Consent:
    """One guardian's consent."""

    id: UUID
    guardian_id: UUID
    policy_version: str
    scopes: tuple[Scope, ...]
    granted_at: datetime
    withdrawn_at: datetime | None = None

    def allows(self, scope: Scope) -> bool:
        """Tell whether this consent holds now, for this purpose and under today's policy."""
        return self.withdrawn_at is None and self.policy_version == POLICY and scope in self.scopes


def age_of_consent(country: str) -> int:
    """Return the age from which people of a country consent alone; an unlisted country has the safest one.

    Nobody's birth year is asked, so every student counts as younger than that.
    """
    return AGE_OF_CONSENT.get(country, DEFAULT_AGE)


def find_consent(consents: Iterable[Consent], scope: Scope) -> Consent | None:
    """Return the latest consent that allows this, or None."""
    return max((one for one in consents if one.allows(scope)), key=lambda one: (one.granted_at, one.id), default=None)


def check_terms(terms: Terms) -> None:
    """Refuse a consent to another policy than today's, or to nothing; raises `InvalidValue` naming the field."""
    if terms.policy_version != POLICY:
        raise InvalidValue(field="policy_version", reason=f"the policy in force is {POLICY}")
    if not terms.scopes or len(set(terms.scopes)) < len(terms.scopes):
        raise InvalidValue(field="scopes", reason="each purpose once, and at least one")
