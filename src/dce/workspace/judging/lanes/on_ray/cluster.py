"""The connection to a Ray cluster: made when the first lane is opened, shared by all lanes, ended when none was open for a while.

What must always hold: nothing is connected to before the user has agreed (the caller's part); every wait has a deadline; every failure
names the cluster, the fact and the next step; what a client that died leaves behind ends with its connection.
"""

import asyncio
import concurrent.futures
import contextlib
import importlib.metadata
import importlib.util
import logging
import os
import pickle
import platform
import socket
import threading
import warnings
from collections.abc import Iterator
from typing import Any

from dce.wire.errors import DceError
from dce.workspace.judging.lanes.on_ray.shipping import shipped
from dce.workspace.judging.lanes.on_ray.workers import Found, WorkerGone, Workers
from dce.workspace.judging.lanes.settings import MAX_PARALLEL

REACH_S = 10.0
"""How long the cluster may take to accept a connection."""

CONNECT_S = 120.0
"""How long Ray may take to prepare for a client: it starts a process on the head node, and unpacks what is sent of DCE."""

ATTEMPTS = 3
"""How often Ray tries, half a minute each: a head node that is busy, or has just started, needs longer than one."""

IDLE_S = 30.0
"""How long the connection outlasts the last lane. Its workers hold processors of the cluster."""

GRACE_S = "5"
"""For how many seconds a client that is gone may come back: then Ray ends its workers, and their lanes with them."""

MAX_INLINE_BYTES = 1024**2
"""Larger arguments are put into the cluster's object store, not into the call: Ray warns of large calls."""

_UNHEARD = (
    "If the cluster asks for a token, set RAY_AUTH_MODE=token here, and RAY_AUTH_TOKEN_PATH to the token's file. Otherwise check that `on`"
    " names its port for clients, usually 10001, and that the head node is not overloaded."
)


class Clusters:
    """The clusters to which a workspace is connected, by address."""

    def __init__(self) -> None:
        self._found: dict[str, Cluster] = {}
        self._lock = threading.Lock()

    def cluster(self, address: str) -> "Cluster":
        """The one with this address; nothing is connected to."""
        with self._lock:
            return self._found.setdefault(address, Cluster(address))

    def close(self) -> None:
        """Ends all connections."""
        for cluster in self._found.values():
            cluster.close()


class Cluster:
    """One cluster."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.cpus = 1
        self.workers: Workers | None = None
        self._connecting = threading.Lock()
        self._counting = threading.Lock()
        self._users = 0
        self._timer: threading.Timer | None = None

    async def connect(self) -> Workers:
        """Connects, unless it is connected. Raises DceError cluster_unreachable or invalid_input."""
        return await asyncio.to_thread(self._connected)

    @contextlib.contextmanager
    def used(self) -> Iterator[None]:
        """While a lane is open, the connection is kept."""
        with self._counting:
            self._users += 1
        try:
            yield
        finally:
            with self._counting:
                self._users -= 1
            self._await_idle()

    def close(self) -> None:
        """Ends the connection, with all workers."""
        with self._connecting:
            self._close()

    def _connected(self) -> Workers:
        with self._connecting:
            if self.workers is not None and not self._is_alive():
                self._close()
            if self.workers is None:
                require_ray()
                self._require_reachable()
                self._join()
                self.workers = Workers(self._start, self.cpus, self.address)
                self._await_idle()
            return self.workers

    def _await_idle(self) -> None:
        """Ends the connection some time after its last use."""
        with self._counting:
            if self._timer is not None:
                self._timer.cancel()
            self._timer = threading.Timer(IDLE_S, self._end_if_idle)
            self._timer.daemon = True
            self._timer.start()

    def _end_if_idle(self) -> None:
        with self._connecting:
            if not self._users:
                self._close()

    def _close(self) -> None:
        with self._counting:
            if self._timer is not None:
                self._timer.cancel()
        if self.workers is not None:
            import ray  # noqa: PLC0415

            self.workers = None
            with contextlib.suppress(Exception):
                ray.shutdown()

    def _is_alive(self) -> bool:
        import ray  # noqa: PLC0415

        return bool(ray.is_initialized())

    def _require_reachable(self) -> None:
        host, _, port = self.address.removeprefix("ray://").rpartition(":")
        try:
            socket.create_connection((host.strip("[]"), int(port)), timeout=REACH_S).close()
        except OSError as error:
            why = error.strerror or ("no answer" if isinstance(error, TimeoutError) else str(error))
            raise self._unreachable(f"cannot be reached within {REACH_S:.0f} s: {why}") from error

    def _join(self) -> None:
        """Runs Ray's own connecting in a thread, because it knows no deadline."""
        done: concurrent.futures.Future[int] = concurrent.futures.Future()

        def run() -> None:
            try:
                done.set_result(join(self.address))
            except BaseException as error:  # noqa: BLE001 - it is raised below
                done.set_exception(error)

        threading.Thread(target=run, name="dce-ray-connect", daemon=True).start()
        try:
            self.cpus = min(MAX_PARALLEL, max(1, done.result(CONNECT_S)))
        except TimeoutError as error:
            raise self._unreachable(f"did not let this client in within {CONNECT_S:.0f} s") from error
        except Exception as error:
            raise self._explained(error) from error

    def _explained(self, error: Exception) -> DceError:
        said = str(error).strip()
        if "ersion mismatch" in said:
            return DceError(
                "invalid_input",
                f"{self.address} and this client must have the same Ray and the same Python but for its last number; here they are"
                f" Ray {_version()} and Python {platform.python_version()}. Ray says: {' '.join(said.split())}",
                hint="Install that Ray beside DCE (pip install 'ray[client]==VERSION'), under that Python.",
            )
        # A cluster that asks for a token says nothing to a client without one: Ray reports a timeout.
        hint = _UNHEARD if isinstance(error, ConnectionError) else ""
        fact = f"refuses this client: {type(error).__name__}: {' '.join(said.split())[-800:]}"
        return self._unreachable(fact, hint)

    def _unreachable(self, fact: str, hint: str = "") -> DceError:
        return DceError("cluster_unreachable", f"the Ray cluster {self.address} {fact}", hint=hint)

    def _start(self, avoided: str) -> Found:
        """Starts a worker; Ray says when it is ready. Raises DceError if the connection is lost."""
        found: Found = concurrent.futures.Future()

        def ready(said: "concurrent.futures.Future[Any]") -> None:
            error = said.exception()
            if error is not None:
                found.set_exception(self._unreachable(f"cannot start a worker: {_said(error)}"))
            else:
                found.set_result(_RayWorker(actor, said.result().result))

        try:
            actor = _new_actor(avoided)
            actor.call.remote("about").future().add_done_callback(ready)
        except Exception as error:
            why = f"cannot start a worker: {_said(error)}" if self._is_alive() else "has ended the connection"
            raise self._unreachable(why) from error
        return found


class _RayWorker:
    """An actor."""

    def __init__(self, actor: Any, node: str) -> None:
        self._actor = actor
        self.node = node

    async def call(self, name: str, *arguments: Any, timeout_s: float) -> Any:
        """See `Worker.call`."""
        from ray.exceptions import RayError, RayTaskError  # noqa: PLC0415

        try:
            sent = await asyncio.to_thread(lambda: self._sent(name, arguments))
            async with asyncio.timeout(timeout_s):
                answered = await asyncio.wrap_future(sent)
        except RayTaskError as error:
            raise DceError("internal", f"the node {self.node} failed: {_said(error)}") from error
        except (RayError, ConnectionError, TimeoutError) as error:
            raise WorkerGone(self.node) from error
        if answered.error is not None:
            code, message, hint = answered.error
            raise DceError(code, f"node {self.node}: {message}", hint=hint)
        return answered.result

    def _sent(self, name: str, arguments: tuple[Any, ...]) -> "concurrent.futures.Future[Any]":
        import ray  # noqa: PLC0415

        data: Any = pickle.dumps(arguments)
        if len(data) > MAX_INLINE_BYTES:
            data = ray.put(data)
        future: concurrent.futures.Future[Any] = self._actor.call_packed.remote(name, data).future()
        return future

    def end(self) -> None:
        """See `Worker.end`."""
        import ray  # noqa: PLC0415

        def kill() -> None:
            with contextlib.suppress(Exception):
                ray.kill(self._actor)

        threading.Thread(target=kill, name="dce-ray-end", daemon=True).start()


def join(address: str) -> int:
    """Connects, and returns how many processors the cluster has. Ray says nothing on the terminal and reports to nobody."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    os.environ.setdefault("RAY_CLIENT_RECONNECT_GRACE_PERIOD", GRACE_S)
    import ray  # noqa: PLC0415

    warnings.filterwarnings("ignore", module=r"ray\b")
    if ray.is_initialized():
        raise RuntimeError("this program is already connected to a cluster")
    with shipped() as folder:
        for attempt in range(1, ATTEMPTS + 1):
            try:
                ray.init(
                    address,
                    namespace="dce",
                    log_to_driver=False,
                    logging_level=logging.ERROR,
                    runtime_env={"working_dir": str(folder)},
                )
            except ConnectionError:
                if attempt == ATTEMPTS:
                    raise
            else:
                break
    logging.getLogger("ray").setLevel(logging.CRITICAL)  # what goes wrong is told by our own errors
    return int(ray.cluster_resources().get("CPU", 1))


def _new_actor(avoided: str) -> Any:
    """An actor for lanes, on another node than the one that is avoided, if there is one."""
    import ray  # noqa: PLC0415
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy  # noqa: PLC0415

    from dce.workspace.judging.lanes.on_ray.actor import LaneActor  # noqa: PLC0415

    where: Any = "SPREAD"
    if avoided:
        others = [node["NodeID"] for node in ray.nodes() if node["Alive"] and node["NodeID"][:8] not in avoided]
        where = NodeAffinitySchedulingStrategy(others[0], soft=True) if others else where
    return ray.remote(num_cpus=1, max_restarts=0, scheduling_strategy=where)(LaneActor).remote()


def require_ray() -> None:
    if importlib.util.find_spec("ray") is None or importlib.util.find_spec("grpc") is None:
        raise DceError(
            "invalid_input",
            "[lane] `on` names a Ray cluster, and Ray's client is not installed",
            hint="pip install 'dce[ray]', with the version of Ray that the cluster has.",
        )


def _version() -> str:
    with contextlib.suppress(importlib.metadata.PackageNotFoundError):
        return importlib.metadata.version("ray")
    return "of no known version"


def _said(error: BaseException) -> str:
    """The end of what Ray says: the remote exception."""
    return " ".join(str(error).split())[-500:]
