"""The connectivity tree: which hop between the client and the model fails, why, and what to do about it.

`target.py` reads the URL, `probe.py` asks (the only effects), `judge.py` decides (pure), `tree.py` walks the steps in order.
"""
