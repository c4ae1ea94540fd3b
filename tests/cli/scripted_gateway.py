"""A gateway for the verbs' tests: real sockets, its own thread, scripted answers; no model, no backend."""

import json
import re
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from dce.wire.errors import CODES

KEY = "dce_right"
MODEL = "scripted-1b"


def answer_of(summary: str, **files: str) -> str:
    """An answer in the format of schema `blocks`; `NONCE` becomes the prompt's. In file names, `__` stands for `.`."""
    blocks = "".join(
        f'<file path="{name.replace("__", ".")}" nonce="NONCE">\n{text}</file nonce="NONCE">\n'
        for name, text in files.items()
    )
    return f"<summary>\n{summary}\n</summary>\n<plan>\n1. Done.\n</plan>\n{blocks}"


class ScriptedGateway:
    """Answers choice i with `answers[i % len]`; `pause` keeps the stream open after its first half until `resume` is set, `held` only
    those choices, while the others finish."""

    def __init__(self) -> None:
        self.answers: Sequence[str] = ["hello"]
        self.finish_reason = "stop"
        self.context = 8192
        self.requests: list[tuple[str, str, Any]] = []
        self.is_paused = False
        self.held: frozenset[int] = frozenset()
        self.is_half_sent = threading.Event()
        self.resume = threading.Event()
        self.stopped: set[int] = set()
        self.notice = ""
        self.url = ""
        self._prompt_tokens = 0

    @contextmanager
    def serve(self) -> Iterator["ScriptedGateway"]:
        """Listens on a free local port."""
        gateway = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.0"

            def do_GET(self) -> None:
                gateway.handle(self)

            def do_POST(self) -> None:
                gateway.handle(self)

            def do_DELETE(self) -> None:
                gateway.handle(self)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's signature
                return

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        self.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self.resume.set()
            server.shutdown()
            thread.join()
            server.server_close()

    def handle(self, handler: BaseHTTPRequestHandler) -> None:
        """Handles one request."""
        length = int(handler.headers.get("content-length") or 0)
        body = json.loads(handler.rfile.read(length) or b"{}")
        self.requests.append((handler.command, handler.path, body))
        if handler.path in ("/healthz", "/readyz"):
            return self._json(handler, 200, {"ok": True, "service": "dce-gateway"})
        if handler.path == "/api/dce/privacy" and self.notice:
            return self._text(handler, self.notice)
        if handler.headers.get("authorization") != f"Bearer {KEY}":
            code = "invalid_key" if handler.headers.get("authorization") else "missing_key"
            return self._json(handler, 401, _error("no", code))
        if handler.command == "DELETE" and "/streams/doctor" not in handler.path:
            return self._stop(handler)
        if handler.path == "/v1/models":
            return self._json(handler, 200, {"data": [{"id": MODEL, "owned_by": "dce", "max_model_len": self.context}]})
        if handler.path == "/tokenize":
            count = len(body["prompt"].split())
            return self._json(handler, 200, {"count": count, "max_model_len": self.context})
        if handler.command == "POST" and body.get("messages"):
            return self._stream(handler, body)
        status, code = (400, "invalid_request") if handler.command == "POST" else (404, "route_not_found")
        return self._json(handler, status, _error("no", code))

    def _text(self, handler: BaseHTTPRequestHandler, text: str) -> None:
        handler.send_response(200)
        handler.send_header("Content-Type", "text/plain; charset=utf-8")
        handler.end_headers()
        handler.wfile.write(text.encode())

    def _json(self, handler: BaseHTTPRequestHandler, status: int, value: object) -> None:
        content = json.dumps(value).encode()
        handler.send_response(status)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content)

    def _stop(self, handler: BaseHTTPRequestHandler) -> None:
        match = re.search(r"/choices/(\d+)$", handler.path)
        self.stopped |= {int(match[1])} if match else set(range(20))
        handler.send_response(204)
        handler.end_headers()
        self.resume.set()

    def _stream(self, handler: BaseHTTPRequestHandler, body: Any) -> None:
        handler.send_response(200)
        handler.send_header("Content-Type", "text/event-stream")
        handler.send_header("X-DCE-Stream-Id", "s1")
        handler.end_headers()
        prompt = body["messages"][0]["content"]
        self._prompt_tokens = len(prompt.split())
        nonce = re.search(r'nonce="([^"]+)"', prompt)
        texts = [
            self.answers[index % len(self.answers)].replace("NONCE", nonce[1] if nonce else "")
            for index in range(body.get("n", 1))
        ]
        for index, text in enumerate(texts):
            self._chunk(handler, index, {"delta": {"content": text[: len(text) // 2]}})
        self.is_half_sent.set()
        if self.is_paused:
            self.resume.wait(300)
        for index, text in sorted(enumerate(texts), key=lambda item: item[0] in self.held):
            if index in self.held:
                self.resume.wait(300)
            if index in self.stopped:
                self._chunk(handler, index, {"delta": {}, "finish_reason": "stopped"})
                continue
            self._chunk(handler, index, {"delta": {"content": text[len(text) // 2 :]}})
            self._chunk(handler, index, {"delta": {}, "finish_reason": self.finish_reason}, len(text.split()))
        handler.wfile.write(b"data: [DONE]\n\n")

    def _chunk(self, handler: BaseHTTPRequestHandler, index: int, choice: dict[str, Any], tokens: int = 0) -> None:
        value: dict[str, Any] = {"model": MODEL, "choices": [{"index": index, "finish_reason": None, **choice}]}
        if tokens:
            value["usage"] = {"prompt_tokens": self._prompt_tokens, "completion_tokens": tokens}
        handler.wfile.write(f"data: {json.dumps(value)}\n\n".encode())
        handler.wfile.flush()


def _error(message: str, code: str) -> dict[str, object]:
    return {"error": {"message": message, "type": "x", "code": code, "hop": str(CODES[code].hop)}}
