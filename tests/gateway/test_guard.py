"""Connections that clients leave: whatever way they go, nothing of them stays. What guards refuse is in test_security_bytes.py."""

import gc
import socket
import struct
import weakref

from tests.fakes.chain import Chain, eventually, raw_request

RESET_ON_CLOSE = struct.pack("ii", 1, 0)


def test_a_reset_connection_is_forgotten_at_once(chain: Chain) -> None:
    """A client that resets a resting connection is not kept for the rest of the keep-alive time, timer, buffers and all."""
    connections = chain.server._server.server_state.connections
    before = set(connections)
    client = raw_request(chain.server.url, b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n")
    assert client.recv(1000).startswith(b"HTTP/1.1 200")
    eventually(lambda: len(connections - before) == 1)
    (mine,) = connections - before
    kept = weakref.ref(mine)
    del mine
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
    client.close()
    eventually(lambda: gc.collect() >= 0 and kept() is None)
