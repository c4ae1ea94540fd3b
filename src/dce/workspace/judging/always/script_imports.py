"""Are the modules there that a JavaScript or TypeScript file imports? Looks at files only.

Invariants: only imports that the file did not have before count; a package counts as missing only if the workspace has `node_modules`,
it is not in there, no manifest names it, and no alias can mean it.
"""

import re
from collections.abc import Iterator
from functools import lru_cache
from pathlib import PurePosixPath

from dce.workspace.judging.always.after import After
from dce.workspace.judging.always.parsing import KEPT

SUFFIXES = (".js", ".mjs", ".cjs", ".jsx", ".ts", ".mts", ".cts", ".tsx", ".vue", ".svelte")
_TRIED = ("", *SUFFIXES, ".d.ts", ".json", ".node", ".css")
_WRITTEN_AS = {".js": (".ts", ".tsx", ".jsx"), ".mjs": (".mts",), ".cjs": (".cts",), ".jsx": (".tsx",)}
"""TypeScript sources may be imported by the name of what they compile to."""

_TOKENS = re.compile(r"""(?P<comment>//[^\n]*|/\*.*?\*/)|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'""", re.DOTALL)
_IMPORT = re.compile(
    r"""(?:^|[;}\s])(?:import|export)\s+(?P<what>(?:type\s+)?[\w*{}\s,$]*?)\s*from\s*(?P<q1>["'])(?P<from>[^"'\n]+)(?P=q1)"""
    r"""|(?:^|[;}\s])import\s*(?P<q2>["'])(?P<only>[^"'\n]+)(?P=q2)|\b(?:require|import)\s*\(\s*(?P<q3>["'])(?P<call>[^"'\n]+)(?P=q3)\s*\)""",
    re.MULTILINE,
)
_EXPORTED = re.compile(
    r"\bexport\s+(?:declare\s+)?(?:default\s+)?(?:abstract\s+)?(?:async\s+)?(?:function\s*\*?|class|const\s+enum|const|let|var|enum|type|interface|namespace|module)\s+(?P<name>[\w$]+)"
    r"|\bexport\s+(?:type\s+)?\{(?P<list>[^}]*)\}"
)
_ASSIGNED = re.compile(r"([\w$]+)\s*(?::[^=;\n]+)?=(?![=>])")
_UNCLEAR = re.compile(
    r"\bexport\s*\*|\bmodule\.exports\b|\bexports\.|\bexport\s+(?:const|let|var)\s*[\[{]|\bexport\s*="
)
_BUILTIN = frozenset(
    [
        "assert",
        "async_hooks",
        "buffer",
        "child_process",
        "cluster",
        "console",
        "constants",
        "crypto",
        "dgram",
        "diagnostics_channel",
        "dns",
        "domain",
        "events",
        "fs",
        "http",
        "http2",
        "https",
        "inspector",
        "module",
        "net",
        "os",
        "path",
        "perf_hooks",
        "process",
        "punycode",
        "querystring",
        "readline",
        "repl",
        "stream",
        "string_decoder",
        "sys",
        "timers",
        "tls",
        "trace_events",
        "tty",
        "url",
        "util",
        "v8",
        "vm",
        "wasi",
        "worker_threads",
        "zlib",
    ]
)


def unresolved(after: After, path: str, text: str, before: str) -> Iterator[tuple[int, str]]:
    """The new imports of a file that lead nowhere: line, and what cannot be found."""
    known = {key for _, key in _imports(before)}
    for line, key in _imports(text):
        if key not in known and (why := _why_unresolved(after, path, *key)):
            yield line, why


@lru_cache(maxsize=KEPT)
def _imports(text: str) -> tuple[tuple[int, tuple[str, str]], ...]:
    """Line and (module, name) of each import; name "" for the module as a whole."""
    return tuple(_found(text))


def _found(text: str) -> Iterator[tuple[int, tuple[str, str]]]:
    plain = _TOKENS.sub(lambda found: re.sub(r"[^\n]", " ", found[0]) if found["comment"] else found[0], text)
    for found in _IMPORT.finditer(plain):
        module = found["from"] or found["only"] or found["call"]
        line = plain.count("\n", 0, found.start("from") if found["from"] else found.end()) + 1
        yield line, (module, "")
        braces = re.search(r"\{([^}]*)\}", found["what"] or "")
        for part in braces[1].split(",") if braces else ():
            name = re.sub(r"^type\s+", "", part.strip()).split(" as ")[0].strip()
            if name and name != "default":
                yield line, (module, name)


def _why_unresolved(after: After, path: str, module: str, name: str) -> str:
    if not module.startswith("."):
        return "" if name else _why_no_package(after, path, module)
    target = _resolved(after, str(PurePosixPath(path).parent), module.split("?", maxsplit=1)[0])
    if target is None:
        return "" if name else f"no module `{module}`"
    if not name or not target.endswith(SUFFIXES) or target.endswith((".vue", ".svelte", ".d.ts")):
        return ""
    names = exported(after.text(target))
    return "" if names is None or name in names else f"`{module}` does not export `{name}`"


@lru_cache(maxsize=KEPT)
def exported(text: str) -> frozenset[str] | None:
    """The names that a module exports; None if that cannot be told."""
    plain = _TOKENS.sub(lambda found: " " if found["comment"] else found[0], text)
    if _UNCLEAR.search(plain) or not re.search(r"\bexport\b", plain):
        return None
    names = set(_ASSIGNED.findall(plain))  # `export const a = 1, b = 2`: rather too many than too few
    for found in _EXPORTED.finditer(plain):
        if found["name"]:
            names.add(found["name"])
        for part in (found["list"] or "").split(","):
            names.add(re.sub(r"^type\s+", "", part.strip()).split(" as ")[-1].strip())
    return frozenset(names)


def _resolved(after: After, folder: str, module: str) -> str | None:
    """The file that a relative import means; None if there is none. A path that leaves the workspace is taken to be there."""
    parts: list[str] = [] if folder == "." else folder.split("/")
    for part in module.split("/"):
        if part == ".." and not parts:
            return ""
        if part == "..":
            parts.pop()
        elif part not in {"", "."}:
            parts.append(part)
    base = "/".join(parts)
    for suffix in _TRIED:
        if base and after.is_file(f"{base}{suffix}"):
            return f"{base}{suffix}"
    suffix = PurePosixPath(base).suffix
    for other in _WRITTEN_AS.get(suffix, ()):
        if after.is_file(f"{base.removesuffix(suffix)}{other}"):
            return f"{base.removesuffix(suffix)}{other}"
    if after.is_folder(base or "."):
        inside = (f"{base}/index{suffix}".lstrip("/") for suffix in _TRIED if suffix)
        return next(
            (file for file in inside if after.is_file(file)),
            f"{base}/package.json" if after.is_file(f"{base}/package.json") else None,
        )
    return None


def _why_no_package(after: After, path: str, module: str) -> str:
    name = "/".join(module.split("/")[: 2 if module.startswith("@") else 1])
    if ":" in module or name in _BUILTIN or not re.fullmatch(r"(?:@[a-z0-9][\w.-]*/)?[a-z0-9][\w.-]*", name):
        return ""  # node:fs, a URL, or an alias such as @/ or ~
    folders = [str(parent) for parent in PurePosixPath(path).parents]
    places = ["" if folder == "." else f"{folder}/" for folder in folders]
    has_modules = [place for place in places if after.is_folder(f"{place}node_modules")]
    if not has_modules or any(after.is_folder(f"{place}node_modules/{name}") for place in has_modules):
        return ""
    types = name.removeprefix("@").replace("/", "__")
    if any(after.is_folder(f"{place}node_modules/@types/{types}") for place in has_modules):
        return ""
    if after.stems.intersection(name.removeprefix("@").split("/")):
        return ""  # another package of the same repository, or a folder that an alias means
    if any(re.search(rf'"{re.escape(name)}(?:/[^"]*)?"', after.text(f"{place}package.json")) for place in places):
        return ""  # declared, or the package itself
    settings = [after.text(f"{place}{file}") for place in places for file in ("tsconfig.json", "jsconfig.json")]
    if any(re.search(r'"(?:paths|baseUrl|extends)"', text) for text in settings):
        return ""
    return f"no package `{name}` in node_modules, and no package.json names it"
