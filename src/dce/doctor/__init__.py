"""The connectivity tree: which hop between the client and the model fails, why, and how to fix it.

`target.py` parses the URL; `probe.py` sends the requests (with `handshake.py`, `http.py` and `streaming.py`: all I/O is there);
`judge_network.py`, `judge_gateway.py`, `judge_passage.py` and `judge_model.py` interpret the replies, `judge_between.py` those that are not the
gateway's (pure); `tree.py` runs the steps in order. A new check is a new row of its table.
"""
