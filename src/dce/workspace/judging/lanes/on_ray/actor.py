"""The process on a node of a Ray cluster that holds a lane. Imported only where there is Ray."""

import pickle

import ray

from dce.workspace.judging.lanes.on_ray.node import Answered, Node


class LaneActor(Node):
    """A `Node` that knows which node of the cluster it is on."""

    def about(self) -> str:
        """The machine's name, and the beginning of the node's id: several nodes can be on one machine."""
        return f"{super().about()} ({ray.get_runtime_context().get_node_id()[:8]})"

    def call_packed(self, name: str, arguments: bytes) -> Answered:
        """As `call`, with arguments that are pickled: Ray carries bytes faster, and large ones beside the call."""
        return self.call(name, *pickle.loads(arguments))  # noqa: S301 - the client's, whose job this is
