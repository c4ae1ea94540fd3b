"""Which lanes a project's checks run in: on this machine, or on the nodes of the cluster that it names."""

from dce.workspace.judging.lanes.on_ray.cluster import Clusters
from dce.workspace.judging.lanes.on_ray.ray_lanes import RayLanes
from dce.workspace.judging.lanes.opening import Lanes
from dce.workspace.judging.lanes.settings import LaneSettings
from dce.workspace.project import Project


def lanes_of(project: Project, settings: LaneSettings, clusters: Clusters) -> Lanes:
    """The lanes of a workspace; nothing is connected to yet."""
    return RayLanes(project, settings, clusters.cluster(settings.on)) if settings.on else Lanes(project, settings)
