"""Lanes on the nodes of a Ray cluster: the client's side (`ray_lanes`, `ray_lane`, `cluster`) and the nodes' (`node`, `trees`)."""
