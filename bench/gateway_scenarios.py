"""The questions put to each proxy. Every one is asked of all of them in turn, and of the backend alone, within one run.

Stable on a shared machine are a proxy's own CPU time per event and ratios within a run; wall times are not. So: the proxy has
core 1, the backend and the client share core 0, and what is reported is CPU from /proc of the proxy's whole process tree.
"""

import http.client
import json
import os
import subprocess
import sys
import time
from typing import Any

import msgspec

from bench.client import Job
from bench.gateway_peers import Subject
from bench.process import cpu_us, rss_mb

Row = dict[str, Any]
CLIENT_TIMEOUT_S = 180
SIZES = {"1 KB": 1_000, "100 KB": 100_000, "1 MB": 1_000_000, "4 MB": 4_000_000}


class Bench:
    """Asks the subjects. `is_quick`: a look, not a measurement."""

    def __init__(self, subjects: list[Subject], upstream: int, *, is_quick: bool) -> None:
        self.subjects = subjects
        self._upstream = upstream
        self._is_quick = is_quick

    def events(self) -> list[Row]:
        """CPU per streamed event, and how much later events come: 100 streams of 400 events at 50 a second, in rounds."""
        rounds, frames = (1, 100) if self._is_quick else (5, 400)
        rows = []
        for at in range(rounds):
            for subject in self.subjects:
                n = 10 if subject.is_n_way else 1
                count = max(1, int(100 * subject.share) // n)
                rows.append({"round": at, **self._streams(subject, count=count, n=n, frames=frames)})
        return rows

    def prompts(self) -> list[Row]:
        """First tokens after prompts of four sizes, one request after the other."""
        rows = []
        for size, prompt_bytes in SIZES.items():
            for n in (1, 10):
                for subject in self.subjects:
                    times = 2 if self._is_quick else 5 if subject.share < 1 else 15
                    job = Job(
                        url=subject.url,
                        key=subject.key,
                        kind="serial",
                        count=times,
                        n=n,
                        frames=3,
                        prompt_bytes=prompt_bytes,
                    )
                    rows.append({"size": size, "n": n, **self._run(subject, job)})
        return rows

    def big_beside_small(self) -> list[Row]:
        """What a prompt of 1 MB, five a second, does to the gaps between the tokens of twenty other streams."""
        rows = []
        for subject in self.subjects:
            if subject.share < 1:
                continue
            for prompts in (0, 5 if self._is_quick else 20):
                job = Job(url=subject.url, key=subject.key, count=20, frames=60 if self._is_quick else 250)
                other = Job(
                    url=subject.url,
                    key=subject.key,
                    kind="serial",
                    count=prompts,
                    frames=1,
                    prompt_bytes=1_000_000,
                    gap_s=0.2,
                )
                beside = _client(other) if prompts else None
                rows.append({"prompts": prompts, **self._run(subject, job)})
                if beside is not None:
                    beside.communicate(timeout=CLIENT_TIMEOUT_S)
        return rows

    def scale(self) -> list[Row]:
        """10, 100 and 1,000 responses at once, their requests long begun: memory, and CPU per event. The last thousand come on a
        connection each, whatever the subject."""
        rows = []
        for count, is_apart in ((10, False), (100, False), (1000, False), (1000, True)):
            for subject in self.subjects:
                if subject.share == 1 and subject.pid is not None:
                    n = 10 if subject.is_n_way and not is_apart else 1
                    rows.append(
                        {"responses": count, "is_apart": is_apart, **self._window(subject, subject.pid, count, n)}
                    )
        return rows

    def requests(self) -> list[Row]:
        """Small requests without streaming on 32 connections."""
        rows = []
        for subject in self.subjects:
            count = int((640 if self._is_quick else 6400) * subject.share)
            job = Job(url=subject.url, key=subject.key, kind="requests", count=count, prompt_bytes=200)
            if not subject.is_n_way:  # it streams from its backend all the same
                rows.append(self._run(subject, job))
        return rows

    def cancellation(self) -> list[Row]:
        """All of 100 streams are closed by their clients in the middle: how soon the backend is rid of each."""
        rows = []
        for subject in self.subjects:
            n = 10 if subject.is_n_way else 1
            count = max(1, int(100 * subject.share) // n)
            row = self._streams(subject, count=count, n=n, frames=1000, cut_after=50 * n)
            cut_at = row["cut_at_ns"]
            after = sorted((at - cut_at) / 1e6 for at in self._until_idle() if at > cut_at)
            row |= {"aborted": len(after), "expected": count * (n if subject.is_n_way else 1)}
            if after:
                row |= {
                    "abort_p50_ms": round(after[len(after) // 2], 2),
                    "abort_max_ms": round(after[-1], 2),
                }
            rows.append(row)
        return rows

    # -- inside -------------------------------------------------------------------------------------------------------

    def _streams(self, subject: Subject, *, count: int, n: int, frames: int, cut_after: int = 0) -> Row:
        job = Job(url=subject.url, key=subject.key, count=count, n=n, frames=frames, cut_after=cut_after)
        return {"connections": count, "n": n, **self._run(subject, job)}

    def _run(self, subject: Subject, job: Job) -> Row:
        upstream_cpu_s = self._stats()["cpu_s"]
        before = cpu_us(subject.pid) if subject.pid else 0.0
        client, peak_mb = _client(job), 0.0
        deadline = time.monotonic() + CLIENT_TIMEOUT_S
        while client.poll() is None and time.monotonic() < deadline:
            peak_mb = max(peak_mb, rss_mb(subject.pid)) if subject.pid else 0.0
            time.sleep(0.1)
        client.kill()
        said, fault = client.communicate()
        if client.returncode:
            last = fault.decode("utf-8", "replace").strip().splitlines()[-1:]
            return {"subject": subject.name, "fault": "".join(last)[:200], "cut_at_ns": 0}
        used = cpu_us(subject.pid) - before if subject.pid else 0.0
        row: Row = {"subject": subject.name, **json.loads(said)}
        row["upstream_cpu_s"] = round(self._stats()["cpu_s"] - upstream_cpu_s, 3)
        if subject.pid:
            row |= {"cpu_us_per_event": round(used / row["events"], 2), "peak_rss_mb": round(peak_mb, 1)}
        return row

    def _stats(self) -> Row:
        connection = http.client.HTTPConnection("127.0.0.1", self._upstream, timeout=10)
        try:
            connection.request("GET", "/stats")
            found: Row = json.loads(connection.getresponse().read())
            return found
        finally:
            connection.close()

    def _window(self, subject: Subject, pid: int, responses: int, n: int) -> Row:
        """CPU per event over a few seconds in which all stream and none begins; memory then. The client is ended afterwards."""
        job = Job(url=subject.url, key=subject.key, count=responses // n, n=n, frames=100_000)
        backend_streams = responses if subject.is_n_way else responses // n
        client = _client(job)
        try:
            deadline = time.monotonic() + 20
            while self._stats()["running"] < backend_streams and time.monotonic() < deadline and client.poll() is None:
                time.sleep(0.1)
            time.sleep(0.5)
            cpu, tokens = cpu_us(pid), self._stats()["tokens"]
            time.sleep(1.5 if self._is_quick else 4)
            used, events, running = cpu_us(pid) - cpu, self._stats()["tokens"] - tokens, self._stats()["running"]
            row: Row = {"subject": subject.name, "connections": job.count, "n": n, "running": running, "events": events}
            return row | {"cpu_us_per_event": round(used / max(1, events), 2), "peak_rss_mb": round(rss_mb(pid), 1)}
        finally:
            client.kill()
            client.communicate()
            self._until_idle()

    def _until_idle(self) -> list[int]:
        """When clients went away from the backend, once none is left."""
        deadline = time.monotonic() + 10
        while (stats := self._stats())["running"] and time.monotonic() < deadline:
            time.sleep(0.05)
        return list(stats["aborts_ns"])


def _client(job: Job) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "bench.client", msgspec.json.encode(job).decode()]
    return subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=lambda: os.sched_setaffinity(0, {0}),
    )
