"""E-mails: one spelling of an address, and the keyed hash that stands for it where the address must not rest."""

import hmac
from unicodedata import normalize


def normalise(email: str) -> str:
    """Return the spelling under which two addresses are the same: no outer space, NFC, lower case.

    Not case-folded: `ß` is not `ss` in a domain name, and the two may be different people.
    """
    return normalize("NFC", email.strip()).lower()


def email_hmac(key: bytes, email: str) -> bytes:
    """Return HMAC-SHA-256 of the normalised address; without the key nobody can test a guess."""
    return hmac.digest(key, normalise(email).encode(), "sha256")
