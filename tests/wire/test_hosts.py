"""Which hosts are this machine."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dce.wire.hosts import is_this_machine


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "LocalHost",
        "127.0.0.1",
        "127.0.0.2",
        "127.255.255.254",
        "::1",
        "0:0:0:0:0:0:0:1",
        "0000:0000:0000:0000:0000:0000:0000:0001",
        "[::1]",
        "::ffff:127.0.0.1",
        "::FFFF:127.0.0.1",
        "::ffff:7f00:1",
        "[::ffff:127.0.0.1]",
    ],
)
def test_this_machine(host: str) -> None:
    """The name `localhost` in any case and every way to write a loopback address are this machine."""
    assert is_this_machine(host)


@pytest.mark.parametrize(
    "host",
    [
        "",
        " ",
        # names: what they lead to is up to a name server
        "127.evil.example",
        "127.0.0.1.evil.example",
        "127.0.0.1.nip.io",
        "localhost.evil.com",
        "localhost.localdomain",
        "evil.localhost",
        "notlocalhost",
        "localhost4",
        "localhost6",
        "ip6-localhost",
        "ip6-loopback",
        "host.docker.internal",
        "localhost.",
        "127.0.0.1.",
        # letters that some foldings turn into those of `localhost`
        "localho\u017ft",
        "\uff4cocalhost",
        "127\u30020.0.1",
        "\uff11\uff12\uff17.0.0.1",
        "\u0661\u0662\u0667.0.0.1",
        # numbers that some systems read as 127.0.0.1 and others as a name
        "127.1",
        "127",
        "127.",
        "0x7f000001",
        "0x7f.0.0.1",
        "2130706433",
        "017700000001",
        "0177.0.0.1",
        "127.0.0.01",
        "127.0.0.1/8",
        "127.0.0.256",
        # every address is not this one's alone
        "0.0.0.0",
        "::",
        "[::]",
        "::ffff:0.0.0.0",
        # other machines
        "192.168.0.1",
        "10.0.0.1",
        "169.254.169.254",
        "::2",
        "fe80::1",
        "::ffff:10.0.0.1",
        "::127.0.0.1",
        "64:ff9b::127.0.0.1",
        "2002:7f00:1::",
        # zones, brackets, ports, credentials: not a bare host
        "::1%lo",
        "::1%25lo",
        "::1%evil.example",
        "[::1",
        "::1]",
        "[[::1]]",
        "[127.0.0.1]",
        "[localhost]",
        "[::1]:80",
        "127.0.0.1:80",
        "localhost:80",
        "user@localhost",
        "127.0.0.1@evil.example",
        " localhost",
        "localhost ",
        "localhost\n",
        "127.0.0.1\n",
        "127.0.0.1\x00",
        "127.0.0.1\\",
        "127.0.0.1#",
    ],
)
def test_not_this_machine(host: str) -> None:
    """Any other name, an odd spelling, an address of all interfaces or of another machine is not this machine."""
    assert not is_this_machine(host)


@given(st.text())
def test_any_text_has_an_answer(text: str) -> None:
    """No text makes it fail, and none is this machine with something before or behind it that is part of a name."""
    is_this_machine(text)
    assert not is_this_machine(f"127.0.0.1.{text}")
    assert not is_this_machine(f"localhost.{text}")
