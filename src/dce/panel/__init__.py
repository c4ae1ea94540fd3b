"""The local web panel: an HTTP API over one workspace, one event stream, and the built front-end in `static/`.

Closed by default: loopback only, and every route needs the session cookie unless it says that it is public. Nothing here decides
anything about workspaces; `dce.workspace` does.
"""
