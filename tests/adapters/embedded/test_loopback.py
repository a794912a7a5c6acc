"""Loopback: ports that are free, and why they lie where they do."""

import socket

from adapters.embedded.loopback import free_port, is_free


def test_a_port_that_is_free_is_kept_and_one_that_is_taken_is_replaced() -> None:
    wanted = free_port()
    assert free_port(wanted) == wanted

    with socket.create_server(("127.0.0.1", wanted)):
        assert not is_free(wanted)
        assert free_port(wanted) != wanted


def test_chosen_ports_lie_below_those_the_system_lends_to_clients() -> None:
    assert all(20_000 <= free_port() <= 29_999 for _ in range(50))
