"""The route table: every resource is in it, and what belongs together stands in one file."""

import importlib
import pkgutil
from collections import defaultdict

from dce.panel import resources
from dce.panel.app import RAW_ROUTES, ROUTES
from dce.panel.route import RawRoute, Route

MODULES = {
    name: importlib.import_module(f"{resources.__name__}.{name}")
    for _, name, _ in pkgutil.iter_modules(resources.__path__)
}

TABLE: list[Route | RawRoute] = [*ROUTES, *RAW_ROUTES]


def test_every_resource_is_served() -> None:
    """A resource's rows are all in the table, whichever file they stand in, and the table has no others."""
    rows: list[Route | RawRoute] = [row for module in MODULES.values() for row in module.ROUTES]
    assert {(row.method, row.path) for row in rows} == {(row.method, row.path) for row in TABLE}


def test_a_route_and_a_handler_stand_once() -> None:
    """No two rows have the same method and path, and no handler serves two: one thing has one route."""
    assert len({(row.method, row.path) for row in TABLE}) == len(TABLE)
    assert len({row.handler for row in TABLE}) == len(TABLE)


def test_a_paths_methods_stand_in_one_file() -> None:
    """Reading, changing and deleting the same thing are in the same file, with their handlers and the bodies they take."""
    files = defaultdict(set)
    for name, module in MODULES.items():
        for row in module.ROUTES:
            files[row.path].add(name)
            assert row.handler.__module__ == module.__name__, row.path
            takes = getattr(row, "takes", None)
            assert takes is None or takes.__module__ == module.__name__, row.path
    assert {path: names for path, names in files.items() if len(names) > 1} == {}
