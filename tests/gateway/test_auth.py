"""Who is asking: one credential in one header, or nobody."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from dce.gateway.access.auth import ANONYMOUS, Authenticator, anthropic_headers
from dce.gateway.access.keys import KeyStore
from dce.wire.errors import DceError


@pytest.fixture
def keys(tmp_path: Path) -> Iterator[KeyStore]:
    store = KeyStore(tmp_path)
    yield store
    store.close()


def test_the_form_of_the_header_is_forgiving(keys: KeyStore) -> None:
    """The scheme's case and spaces around the key do not matter."""
    key, secret = keys.create("alice")
    auth = Authenticator(keys, insecure=False)
    for value in (f"Bearer {secret}", f"bearer  {secret} ", f"BEARER {secret}"):
        principal = auth.principal([(b"host", b"x"), (b"authorization", value.encode())])
        assert (principal.key_id, principal.name) == (key.id, "alice")


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ([], "missing_key"),
        ([b""], "missing_key"),
        ([b"Bearer"], "missing_key"),
        ([b"Bearer   "], "missing_key"),
        ([b"Basic YTpi"], "missing_key"),
        ([b"Bearer wrong"], "invalid_key"),
        ([b"Bearer \xff\xfe"], "invalid_key"),
        ([b"Bearer good", b"Bearer good"], "invalid_key"),
    ],
    ids=repr,
)
def test_anything_else_is_refused(keys: KeyStore, values: list[bytes], code: str) -> None:
    """No key, another scheme, a wrong key or two headers (even with the right key twice) are refused; nothing is echoed."""
    _, secret = keys.create("alice")
    headers = [(b"authorization", value.replace(b"good", secret.encode())) for value in values]
    with pytest.raises(DceError) as caught:
        Authenticator(keys, insecure=False).principal(headers)
    assert caught.value.code == code
    assert secret not in caught.value.message
    assert "wrong" not in caught.value.message


def test_a_key_elsewhere_does_not_count(keys: KeyStore) -> None:
    """A key in another header is not looked at."""
    _, secret = keys.create("alice")
    with pytest.raises(DceError, match="no Authorization"):
        Authenticator(keys, insecure=False).principal([(b"x-api-key", secret.encode())])


def test_anthropic_s_header_is_a_key_where_its_routes_are(keys: KeyStore) -> None:
    """There `x-api-key` counts as the bearer; Authorization wins over it, and two of them are refused like two bearers."""
    key, secret = keys.create("alice")
    auth = Authenticator(keys, insecure=False)
    plain, bearer = (b"x-api-key", secret.encode()), (b"authorization", f"Bearer {secret}".encode())
    assert auth.principal(anthropic_headers([plain])).key_id == key.id
    assert auth.principal(anthropic_headers([(b"x-api-key", b"another"), bearer])).key_id == key.id
    for headers in ([plain, plain], [plain, (b"authorization", b"Bearer dce_wrong")], [(b"x-api-key", b"dce_wrong")]):
        with pytest.raises(DceError) as caught:
            auth.principal(anthropic_headers(headers))
        assert caught.value.code == "invalid_key"
    with pytest.raises(DceError) as empty:
        auth.principal(anthropic_headers([(b"x-api-key", b" ")]))
    assert empty.value.code == "missing_key"


def test_insecure_is_anonymous(keys: KeyStore) -> None:
    """Without keys everyone is the same caller, whatever they send."""
    assert Authenticator(keys, insecure=True).principal([(b"authorization", b"Bearer x")]) == ANONYMOUS
