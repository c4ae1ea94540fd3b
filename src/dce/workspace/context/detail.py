"""How much of a file a prompt shows: all of it, an outline, its head and tail, or its name.

What must always hold: a file that is not shown whole says so in its own text, and is never offered for rewriting (`prompt.py` keeps
it out of the manifest, so that accepting refuses to overwrite it).
"""

import ast
from collections.abc import Iterator

from dce.workspace.context.outline import outline_of
from dce.workspace.record.selected_files import Detail

HEAD_LINES, TAIL_LINES = 40, 20
"""What `head-tail` keeps: the imports, the first definitions, and the end of the file."""


def reduced(text: str, path: str, detail: Detail) -> str:
    """A file's text at a level of detail, starting with a line that names the level. `full` is the text itself.

    For an unknown language, `outline` falls back to head and tail, and says so.
    """
    if detail == "full":
        return text
    lines = text.splitlines()
    if detail == "path":
        return f"[{len(lines)} lines, not shown]\n"
    if detail == "outline":
        outline = _python(text) if path.endswith((".py", ".pyi")) else outline_of(text, path)
        if outline:
            return f"[outline of {len(lines)} lines: line number and definition]\n" + "".join(
                f"{number}: {line}\n" for number, line in outline
            )
    if len(lines) <= HEAD_LINES + TAIL_LINES:
        return text
    left_out = len(lines) - HEAD_LINES - TAIL_LINES
    parts = [f"[first {HEAD_LINES} and last {TAIL_LINES} of {len(lines)} lines]", *lines[:HEAD_LINES]]
    return "\n".join([*parts, f"[… {left_out} lines not shown …]", *lines[-TAIL_LINES:]]) + "\n"


def _python(text: str) -> list[tuple[int, str]]:
    """Classes, functions with their signatures and first docstring lines, and top-level names; [] if the text does not parse."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError):
        return []
    return list(_definitions(tree, depth=0))


def _definitions(node: ast.Module | ast.ClassDef, depth: int) -> Iterator[tuple[int, str]]:
    indent = "    " * depth
    for child in node.body:
        if isinstance(child, ast.ClassDef):
            bases = ", ".join(ast.unparse(base) for base in child.bases)
            yield child.lineno, f"{indent}class {child.name}{f'({bases})' if bases else ''}:{_says(child)}"
            yield from _definitions(child, depth + 1)
        elif isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            keyword = "async def" if isinstance(child, ast.AsyncFunctionDef) else "def"
            returns = f" -> {ast.unparse(child.returns)}" if child.returns else ""
            yield child.lineno, f"{indent}{keyword} {child.name}({ast.unparse(child.args)}){returns}{_says(child)}"
        elif isinstance(child, ast.AnnAssign) and isinstance(child.target, ast.Name):
            yield child.lineno, f"{indent}{child.target.id}: {ast.unparse(child.annotation)}"
        elif isinstance(child, ast.Assign) and depth == 0:
            names = [target.id for target in child.targets if isinstance(target, ast.Name)]
            if names:
                yield child.lineno, f"{' = '.join(names)} = …"


def _says(node: ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> str:
    first = (ast.get_docstring(node) or "").partition("\n")[0].strip()
    return f"  # {first}" if first else ""
