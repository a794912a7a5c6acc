"""Caller: nobody chooses their own address, and whoever has many of them has one key."""

from ipaddress import ip_network

import pytest

from api.caller import caller_of

PROXIES = (ip_network("10.0.0.0/24"), ip_network("fd00::/8"))


def called_from(peer: str | None, *forwarded: str) -> dict[str, object]:
    headers = [(b"x-forwarded-for", value.encode("latin-1")) for value in forwarded]
    return {"type": "http", "client": (peer, 4711) if peer is not None else None, "headers": headers}


@pytest.mark.parametrize(
    ("peer", "key"),
    [
        ("198.51.100.7", "198.51.100.7"),
        ("::ffff:198.51.100.7", "198.51.100.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", "unknown"),
        (None, "unknown"),
        ("testclient", "unknown"),
    ],
)
def test_an_address_is_the_key_and_an_ipv6_address_its_network(peer: str | None, key: str) -> None:
    assert caller_of(called_from(peer), ()) == key


@pytest.mark.parametrize("proxies", [(), PROXIES])
def test_what_a_stranger_says_of_forwarding_means_nothing(proxies: tuple[object, ...]) -> None:
    scope = called_from("198.51.100.7", "203.0.113.9")

    assert caller_of(scope, proxies) == "198.51.100.7"  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("forwarded", "key"),
    [
        (["203.0.113.9"], "203.0.113.9"),
        (["1.1.1.1, 203.0.113.9"], "203.0.113.9"),
        (["1.1.1.1", "203.0.113.9"], "203.0.113.9"),
        (["1.1.1.1, 203.0.113.9, 10.0.0.8"], "203.0.113.9"),
        (["203.0.113.9:51000"], "203.0.113.9"),
        (["[2001:db8::5]:51000"], "2001:db8::/64"),
        (["2001:db8::5"], "2001:db8::/64"),
        (["::ffff:203.0.113.9"], "203.0.113.9"),
        (["203.0.113.9, nonsense"], "10.0.0.7"),
        (["203.0.113.9, nonsense, 10.0.0.9"], "10.0.0.9"),
        (["203.0.113.9,"], "10.0.0.7"),
        (["é"], "10.0.0.7"),
        ([""], "10.0.0.7"),
        ([], "10.0.0.7"),
        (["10.0.0.5, fd00::1"], "10.0.0.5"),
    ],
)
def test_a_proxy_is_believed_up_to_the_first_address_that_is_no_proxy(forwarded: list[str], key: str) -> None:
    assert caller_of(called_from("10.0.0.7", *forwarded), PROXIES) == key


def test_a_proxy_that_comes_as_a_mapped_address_is_one() -> None:
    assert caller_of(called_from("::ffff:10.0.0.7", "203.0.113.9"), PROXIES) == "203.0.113.9"
