"""Sealing: what is sealed opens with its key for its event, and in no other way; a commitment shows one event alone."""

from hashlib import sha256
from os import urandom
from typing import NamedTuple
from uuid import UUID

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from eventstore.sealing import PersonKey, SealBroken, commitment, key_id_of, open_sealed, personal_json, seal


class Place(NamedTuple):
    """Which event sealed bytes belong to."""

    event_id: UUID
    stream: str
    event_type: str
    schema: int


KEY = PersonKey(UUID("0190a1b2-0000-4000-8000-00000000000e"), AESGCM(bytes(range(32))))
PLACE = Place(UUID("0190a1b2-0000-4000-8000-000000000001"), "user-1", "UserRegistered", 1)
NAME = b'{"name":"Zo\xc3\xab"}'


def sealed_at(place: Place, personal: bytes = NAME, key: PersonKey = KEY) -> tuple[bytes, bytes]:
    return seal(key, personal, **place._asdict())


def open_at(place: Place, sealed: bytes, key: PersonKey = KEY) -> bytes:
    return open_sealed(key, sealed, **place._asdict())


places = st.builds(Place, st.uuids(), st.text(), st.text(), st.integers(0, 65_535))


@given(place=places, personal=st.binary(max_size=300))
def test_what_is_sealed_opens_again(place: Place, personal: bytes) -> None:
    sealed, _ = sealed_at(place, personal)

    opened = personal_json(open_at(place, sealed))

    assert opened[: len(personal)] == personal
    assert opened[len(personal) :].strip(b" ") == b""


@given(at=st.integers(0), change=st.integers(1, 255))
def test_any_altered_byte_is_noticed(at: int, change: int) -> None:
    sealed, _ = sealed_at(PLACE)
    altered = bytearray(sealed)
    altered[at % len(sealed)] ^= change

    with pytest.raises(SealBroken):
        open_at(PLACE, bytes(altered))


def test_every_single_byte_is_protected() -> None:
    sealed, _ = sealed_at(PLACE)

    for at in range(len(sealed)):
        with pytest.raises(SealBroken):
            open_at(PLACE, sealed[:at] + bytes([sealed[at] ^ 1]) + sealed[at + 1 :])


@given(length=st.integers(0, 200))
def test_what_is_cut_short_or_made_up_does_not_open(length: int) -> None:
    sealed, _ = sealed_at(PLACE)

    for bad in (sealed[: length % len(sealed)], urandom(length), sealed + b"x"):
        with pytest.raises(SealBroken):
            open_at(PLACE, bad)


@given(moved=places)
def test_sealed_fields_do_not_open_at_another_event(moved: Place) -> None:
    sealed, _ = sealed_at(PLACE)

    for name in Place._fields:
        elsewhere = PLACE._replace(**{name: getattr(moved, name)})
        if elsewhere != PLACE:
            with pytest.raises(SealBroken):
                open_at(elsewhere, sealed)


def test_the_border_between_stream_and_type_is_part_of_the_seal() -> None:
    sealed, _ = sealed_at(PLACE._replace(stream="user-1U", event_type="ser"))

    with pytest.raises(SealBroken):
        open_at(PLACE._replace(stream="user-1", event_type="User"), sealed)


def test_another_persons_key_opens_nothing() -> None:
    sealed, _ = sealed_at(PLACE)

    for other in (PersonKey(KEY.key_id, AESGCM(bytes(32))), PersonKey(UUID(int=1), KEY.cipher)):
        with pytest.raises(SealBroken):
            open_at(PLACE, sealed, other)


@pytest.mark.parametrize(("length", "blocks"), [(0, 1), (1, 1), (32, 1), (33, 2), (96, 2), (97, 3)])
def test_the_length_of_a_name_shows_in_steps_of_64_bytes_only(length: int, blocks: int) -> None:
    sealed, _ = sealed_at(PLACE, b"x" * length)

    assert len(sealed) == 1 + 16 + 12 + 64 * blocks + 16


def test_the_layout_is_version_key_id_nonce_ciphertext() -> None:
    sealed, _ = sealed_at(PLACE)

    assert sealed[:1] == b"\x01"
    assert sealed[1:17] == KEY.key_id.bytes
    assert key_id_of(sealed) == KEY.key_id


def test_the_same_fields_never_look_the_same() -> None:
    first, first_commitment = sealed_at(PLACE)
    second, second_commitment = sealed_at(PLACE)

    assert first[17:29] != second[17:29]
    assert first[29:] != second[29:]
    assert first_commitment != second_commitment


@given(personal=st.binary(max_size=300))
def test_a_commitment_is_opened_by_what_was_sealed_without_any_key(personal: bytes) -> None:
    sealed, promised = sealed_at(PLACE, personal)

    plaintext = open_at(PLACE, sealed)

    assert commitment(plaintext) == promised == sha256(b"\x02" + plaintext).digest()
    assert commitment(plaintext[:-1] + b"!") != promised
    assert len(plaintext) % 64 == 0


def test_bytes_that_the_first_release_sealed_open_for_ever() -> None:
    sealed = (
        "01 0190a1b200004000800000000000000e 000102030405060708090a0b"
        "4703d418c1e0c41c85489d80bde4766293c79527e46e496b207eff9e01741ead"
        "7a32c09dc2a430a256fe102e23a55518ce7940ad7af683fa1fb70a3938c3d5ce"
        "45bc28f159990d2e40b89063705dddf2"
    )

    plaintext = open_at(PLACE, bytes.fromhex(sealed))

    assert plaintext == bytes(range(32)) + NAME + b" " * 17
    assert commitment(plaintext).hex() == "e95e8f1feb42b853ea61e6d7209e29bafa90053d4cde3aa30c61959c2b345c74"
