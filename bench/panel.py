"""The panel in Chromium: does it stay smooth and small while ten responses stream, and is it there at once?

Ten responses × 200 tokens/s: tasks of the page's thread over 50 ms, and the heap after a collection every half minute. First paint;
a history of 500 cycles; 100,000 files. The panel runs in a process of its own; both share this machine's cores.
"""

import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright

STREAM_S = float(600)
SAMPLE_S = 30.0
ROUNDS = 5
OBSERVE = """
window.longTasks = [];
new PerformanceObserver(list => {
  for (const entry of list.getEntries()) window.longTasks.push([Math.round(entry.startTime), Math.round(entry.duration)]);
}).observe({ type: "longtask", buffered: true });
"""


def run(stream_s: float = STREAM_S) -> dict[str, Any]:
    """All four, one after the other, in one browser."""
    path = next(found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name)))
    with sync_playwright() as playwright, tempfile.TemporaryDirectory(prefix="dce-bench-") as folder:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        try:
            return {
                "browser": browser.version,
                "streams": _streams(browser, Path(folder) / "streams", stream_s),
                "first_paint_ms": _openings(browser, Path(folder) / "paint", "plain", _first_paint),
                "history_ms": _openings(browser, Path(folder) / "history", "history", _history_there),
                "files_ms": _openings(browser, Path(folder) / "files", "files", _files_there),
            }
        finally:
            browser.close()


def table(result: dict[str, Any]) -> str:
    """A line each."""
    streams = result["streams"]
    heap = streams["heap_mb"]
    long = [duration for _, duration in streams["long_tasks_ms"]]
    rows = [
        (
            "10 responses × 200 tokens/s: tasks over 50 ms",
            f"{len(long)}" + (f", longest {max(long)} ms" if long else ""),
            "0",
        ),
        (
            f"the same: heap after collections over {streams['seconds'] / 60:.0f} min",
            f"{heap[0]} → {heap[-1]} MB",
            "flat",
        ),
        ("first paint", f"{statistics.median(result['first_paint_ms']):.0f} ms", "< 1,000 ms"),
        ("a history of 500 cycles is there", f"{statistics.median(result['history_ms']):.0f} ms", "< 1,000 ms"),
        ("100,000 files are there", f"{statistics.median(result['files_ms']):.0f} ms", ""),
    ]
    lines = [
        f"Chromium {result['browser']}. {result['machine']}, {result['when']}.",
        "",
        "| what | measured | wanted |",
        "|---|---|---|",
    ]
    return "\n".join(lines + [f"| {what} | {measured} | {wanted} |" for what, measured, wanted in rows])


@contextmanager
def _served(folder: Path, kind: str, seconds: float = 0) -> Iterator[str]:
    command = [sys.executable, "-m", "bench.panel_server", str(folder), kind, str(seconds)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield json.loads(process.stdout.readline())["url"]
        finally:
            process.stdin.close()
            process.wait(30)


def _streams(browser: Browser, folder: Path, seconds: float) -> dict[str, Any]:
    """Generates ten responses and looks at the page while they come; the first tab's text is in view half of the time."""
    with _served(folder, "streams", seconds) as url:
        page = browser.new_page()
        page.add_init_script(OBSERVE)
        page.goto(url)
        page.get_by_label("Number of responses").fill("10")
        page.get_by_role("button", name="Generate", exact=True).click()
        tabs = page.get_by_role("tab", name="Response")
        tabs.nth(9).wait_for()
        page.evaluate("window.longTasks.length = 0")  # what the click itself took is another figure
        client = page.context.new_cdp_session(page)
        client.send("HeapProfiler.enable")
        began, heap, at = time.monotonic(), [], 0
        while time.monotonic() - began < seconds - SAMPLE_S / 2:
            (page.get_by_role("tab", name="Board") if at % 2 else tabs.first).click()
            time.sleep(SAMPLE_S)
            before = page.evaluate("window.longTasks.length")
            client.send("HeapProfiler.collectGarbage")
            heap.append(round(page.evaluate("performance.memory.usedJSHeapSize") / 1e6, 1))
            page.evaluate(f"window.longTasks.length = {before}")  # the collection is ours
            at += 1
        tasks = page.evaluate("window.longTasks")
        page.close()
    return {"seconds": seconds, "long_tasks_ms": tasks, "heap_mb": heap}


def _openings(browser: Browser, folder: Path, kind: str, there: Any) -> list[float]:
    with _served(folder, kind) as url:
        context = browser.new_context()
        page = context.new_page()
        page.goto(url)
        there(page)
        times = []
        for _ in range(ROUNDS):
            began = time.perf_counter()
            page.reload(wait_until="commit")
            measured = there(page)
            times.append(round(measured if measured is not None else (time.perf_counter() - began) * 1000, 1))
        context.close()
    return times


def _first_paint(page: Page) -> float:
    page.get_by_role("button", name="Generate", exact=True).wait_for()
    return float(page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime"))


def _history_there(page: Page) -> None:
    page.get_by_label("Cycle", exact=True).first.wait_for()
    page.get_by_role("button", name="Generate", exact=True).wait_for()


def _files_there(page: Page) -> None:
    page.get_by_role("treeitem", name="part00/").first.wait_for()
