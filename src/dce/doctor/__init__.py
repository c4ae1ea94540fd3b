"""The connectivity tree: which hop between the client and the model fails, why, and what to do about it.

`target.py` reads the URL; `probe.py` asks (with `handshake.py`, `http.py`, `streaming.py`: the only effects); `judge_network.py`,
`judge_gateway.py`, `judge_model.py` decide (pure); `tree.py` walks the steps in order. A new check is a new row of its table.
"""
