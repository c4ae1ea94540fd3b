"""Are the modules there that a Python file imports? Looks at files only; nothing is imported or run.

Invariants: only imports that the file did not have before count; an import that the code guards (`try`, `if TYPE_CHECKING`) never does;
where DCE cannot tell (no virtual environment of the project's, a module that builds its names at run time) nothing is said.
"""

import ast
import os
import re
import sys
import warnings
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path, PurePosixPath

import msgspec

from dce.workspace.judging.always.after import After
from dce.workspace.judging.always.parsing import KEPT
from dce.workspace.judging.lanes.environment import added_folders, current_variables, find_python

_SUFFIXES = (".py", ".pyi", ".pyx", ".so", ".pyd", ".c")
_ROOTS = ("", "src", "lib", "python")
_GUARDS = frozenset({"ImportError", "ModuleNotFoundError", "Exception", "BaseException"})
_STATEMENT = re.compile(r"^[^\n#]*\bimport\b(?:[ \t]*\([^)]*\)|[^\n]*)", re.MULTILINE)
"""Whatever may be an import statement."""
_CONDITIONS = frozenset({"TYPE_CHECKING", "version_info", "platform", "name"})
"""What a guarding `if` looks at: another interpreter or system, where the module may be there."""
_BLOCKS = (
    ast.FunctionDef,
    ast.AsyncFunctionDef,
    ast.ClassDef,
    ast.With,
    ast.AsyncWith,
    ast.For,
    ast.AsyncFor,
    ast.While,
    ast.Try,
)
"""Statements with others in them."""
_GENERATED = re.compile(r"_pb2(?:_grpc)?$|^_?version$|^__version__$|^_version")
"""Modules that a build makes."""
_GONE = frozenset(
    {"distutils", "imp", "asynchat", "asyncore", "smtpd", "cgi", "cgitb", "telnetlib", "crypt", "pipes", "nntplib"}
)
"""Modules that some versions of Python have: whether the project's does is not known for sure."""
_DYNAMIC = re.compile(
    r"\bglobals\(\)|\blocals\(\)|\bvars\(\)|\bexec\(|sys\.modules\[__name__\]|\bsetattr\(|\b__getattr__\b|\blazy"
)


class Import(msgspec.Struct, frozen=True):
    """One imported name: `from module import name`, or `import module` (no name). `level`: the dots of a relative import."""

    line: int
    level: int
    module: str
    name: str

    @property
    def key(self) -> tuple[int, str, str]:
        """The import, wherever it stands."""
        return self.level, self.module, self.name

    @property
    def text(self) -> str:
        """As in the source."""
        return "." * self.level + self.module


def unresolved(after: After, path: str, text: str, before: str) -> Iterator[tuple[int, str]]:
    """The new imports of a file that lead nowhere: line, and what cannot be found."""
    if not set(_STATEMENT.findall(text)) - set(_STATEMENT.findall(before)):
        return  # parsing takes milliseconds, and most answers import nothing new
    known = {found.key for found in imports_of(before)}
    for found in imports_of(text):
        if found.key not in known and (why := _why_unresolved(after, path, found)):
            yield found.line, why


@lru_cache(maxsize=KEPT)
def imports_of(text: str) -> tuple[Import, ...]:
    """The imports of a file, without those that the code guards; none if it does not parse."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ()
    return tuple(_in_body(tree.body))


def _in_body(body: list[ast.stmt]) -> Iterator[Import]:
    for node in body:
        if isinstance(node, ast.Import):
            yield from (Import(node.lineno, 0, alias.name, "") for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (Import(node.lineno, node.level, node.module or "", alias.name) for alias in node.names)
        elif isinstance(node, ast.Try) and any(_guards(handler) for handler in node.handlers):
            yield from _in_body(node.finalbody)
        elif isinstance(node, ast.If):
            if not _CONDITIONS & _names(node.test):
                yield from _in_body([*node.body, *node.orelse])
        elif isinstance(node, ast.With) and any("suppress" in _names(item.context_expr) for item in node.items):
            continue
        elif isinstance(node, _BLOCKS):
            for inner in ("body", "orelse", "finalbody"):
                yield from _in_body(getattr(node, inner, []))


def _names(node: ast.expr) -> set[str]:
    """Every name and attribute in an expression."""
    return {
        inner.id if isinstance(inner, ast.Name) else inner.attr
        for inner in ast.walk(node)
        if isinstance(inner, ast.Name | ast.Attribute)
    }


def _guards(handler: ast.ExceptHandler) -> bool:
    return handler.type is None or any(
        isinstance(node, ast.Name) and node.id in _GUARDS for node in ast.walk(handler.type)
    )


def _why_unresolved(after: After, path: str, found: Import) -> str:
    folder = PurePosixPath(path).parent
    if found.level:
        for _ in range(found.level - 1):
            folder = folder.parent
        near = str(folder.joinpath(*found.module.split(".")) if found.module else folder)
        if found.module and not _module(after, near):
            return "" if _is_built(after, found.module) else f"no module `{found.text}`"
        return _why_no_name(after, near, found)
    top = found.module.split(".")[0]
    roots = dict.fromkeys([*(str(parent) for parent in PurePosixPath(path).parents), *_ROOTS])
    here = [root for root in roots if _module(after, str(PurePosixPath(root, top)))]
    if not here:
        return (
            ""
            if _is_known(after, top)
            else f"no module `{top}` here, in the standard library or among the installed ones"
        )
    whys = []
    for root in here:
        base = str(PurePosixPath(root, *found.module.split(".")))
        is_there = bool(_module(after, base)) or _is_built(after, found.module)
        why = _why_no_name(after, base, found) if is_there else f"no module `{found.module}`"
        if not why:
            return ""
        whys.append(why)
    return "" if _is_installed(after, top) or top in sys.stdlib_module_names else whys[0]


def _module(after: After, base: str) -> str:
    """The file of a module, or the folder of a package; "" if there is neither."""
    base = "" if base == "." else base
    for suffix in _SUFFIXES:
        if base and after.is_file(f"{base}{suffix}"):
            return f"{base}{suffix}"
    if not after.is_folder(base or "."):
        return _built(after, base)
    init = f"{base}/__init__.py" if base else "__init__.py"
    return init if after.is_file(init) else base or "."


def _is_built(after: After, module: str) -> bool:
    """Whether a build may make the module: by its name, or from a source of that name in another language."""
    name = module.rpartition(".")[2]
    return bool(_GENERATED.search(name)) or name in after.foreign_stems


def _built(after: After, base: str) -> str:
    """An extension module that was built: its name has the interpreter's in it."""
    folder, _, name = base.rpartition("/")
    return next(
        (
            f"{folder}/{file}"
            for file in after.names(folder)
            if name and file.startswith(f"{name}.") and file.endswith((".so", ".pyd"))
        ),
        "",
    )


def _why_no_name(after: After, base: str, found: Import) -> str:
    """Why a module does not have the imported name; "" if it does or may."""
    if found.name in {"", "*"}:
        return ""
    file = _module(after, base)
    if _module(after, str(PurePosixPath(base, found.name))):
        return ""
    if _is_built(after, found.name):
        return ""
    if not file.endswith(".py"):
        return f"no module `{found.text}.{found.name}`" if after.is_folder(file) else ""
    names = defined(after.text(file))
    return "" if names is None or found.name in names else f"`{found.text or '.'}` does not define `{found.name}`"


@lru_cache(maxsize=KEPT)
def defined(text: str) -> frozenset[str] | None:
    """The names that a module defines; None if only running it would tell."""
    if _DYNAMIC.search(text):
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    names = {"__name__", "__file__", "__doc__", "__path__", "__package__", "__spec__", "__loader__", "__builtins__"}
    for node in ast.walk(tree):  # names of inner scopes too: rather too many than too few
        if isinstance(node, ast.ImportFrom | ast.Import):
            if any(alias.name == "*" for alias in node.names):
                return None
            names |= {(alias.asname or alias.name).split(".")[0] for alias in node.names}
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif node.__class__.__name__ == "TypeAlias":
            names.update(inner.id for inner in ast.walk(node) if isinstance(inner, ast.Name))
        elif isinstance(node, ast.Global):
            names |= set(node.names)
        elif isinstance(node, ast.MatchAs | ast.MatchStar | ast.ExceptHandler) and node.name:
            names.add(node.name)
    return frozenset(names)


def _is_known(after: After, top: str) -> bool:
    """Whether a top-level module is there, or may be."""
    if top in sys.stdlib_module_names or top in _GONE or top in after.stems:
        return True
    installed = _installed(after.project.root)
    return installed is None or top in installed


def _is_installed(after: After, top: str) -> bool:
    installed = _installed(after.project.root)
    return installed is not None and top in installed


def _installed(root: Path) -> frozenset[str] | None:
    """The top-level modules in the project's virtual environment; None if it has none (DCE's own is none of the project's), or if it also
    takes those of the system."""
    python = find_python(current_variables(), root)
    if python.environment is None or os.path.realpath(python.environment) == os.path.realpath(sys.prefix):
        return None
    try:
        if re.search(
            r"include-system-site-packages\s*=\s*true",
            (python.environment / "pyvenv.cfg").read_text("utf-8", "replace"),
        ):
            return None
    except OSError:
        return None
    folders = [*python.environment.glob("lib/python*/site-packages"), *python.environment.glob("Lib/site-packages")]
    found: set[str] = set()
    for folder in (*folders, *added_folders(python)):
        for entry in folder.iterdir() if folder.is_dir() else ():
            found.add(entry.name.split(".")[0])
            if entry.name.startswith("__editable__") and entry.suffix == ".py":
                found |= set(re.findall(r"'(\w+)(?:\.[\w.]+)?': ", entry.read_text("utf-8", "replace")))
    return frozenset(found)
