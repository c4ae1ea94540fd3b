"""What the verbs share: common options, opening the workspace, and reading the paths and texts they are given."""

import os
import posixpath
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from dce.cli.output import note
from dce.wire.errors import DceError

if TYPE_CHECKING:
    from dce.workspace.cards import Cards
    from dce.workspace.project import Project
    from dce.workspace.record.cycles import Cycle
    from dce.workspace.record.generations import Generation
    from dce.workspace.settings import Settings
    from dce.workspace.workspace import Workspace

Verb = TypeVar("Verb", bound=Callable[..., Any])


LATEST = 0
"""The value of the word `latest`: generations are numbered from 1."""


class GenerationType(click.ParamType[int]):
    """A generation's number, or the word `latest`."""

    name = "generation"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if value == "latest":
            return LATEST
        text = str(value)
        if not (text.isascii() and text.isdigit()) or int(text) < 1:
            self.fail(f"{text!r} is neither a generation's number nor `latest`", param, ctx)
        return int(text)


GENERATION = GenerationType()


def workspace_option(verb: Verb) -> Verb:
    """`--workspace DIR`, `-C DIR`: where the search for the workspace starts, upwards; paths are relative to it too."""
    return click.option(
        "--workspace",
        "-C",
        "directory",
        metavar="DIR",
        type=click.Path(path_type=Path, file_okay=False, exists=True),
        default=".",
        help="The workspace, or a folder in it (default: the current folder).",
    )(verb)


def json_option(verb: Verb) -> Verb:
    """`--json`: JSON on standard output."""
    return click.option("--json", "is_json", is_flag=True, help="Print JSON.")(verb)


def generation_option(verb: Verb) -> Verb:
    """`--generation G`: a generation other than the latest."""
    return click.option(
        "--generation",
        "-g",
        "generation_id",
        type=GENERATION,
        metavar="G",
        help="The generation (default: the latest).",
    )(verb)


def card_option(verb: Verb) -> Verb:
    """`--card NAME`: a model card other than the cycle's."""
    return click.option(
        "--card", metavar="NAME", help="The model card to use (default: the cycle's, else the one in the settings)."
    )(verb)


def cycle_option(verb: Verb) -> Verb:
    """`--cycle N`: a cycle other than the latest; `cycle_of` finds it."""
    return click.option("--cycle", "cycle_id", type=int, metavar="N", help="The cycle (default: the latest).")(verb)


def schema_option(verb: Verb) -> Verb:
    """`--schema NAME`: an answer format other than the settings'."""
    return click.option("--schema", metavar="NAME", help="The format of the answer: blocks, strict or fill.")(verb)


def gateway_options(verb: Verb) -> Verb:
    """`--url`, `--key`: the gateway's address and the key for it."""
    verb = click.option("--key", metavar="K", help="The gateway's key (default: DCE_API_KEY).")(verb)
    return click.option("--url", metavar="URL", help="The gateway's address (default: DCE_URL).")(verb)


# Verbs import what they use inside functions, so that `dce --help` and usage errors stay fast.


@contextmanager
def open_workspace(directory: Path, **flags: object) -> Iterator["Workspace"]:
    """The workspace that contains `directory`, with the settings in force; `flags` that are None count as not given."""
    with open_served_workspace(directory, {}, flags) as workspace:
        yield workspace


@contextmanager
def open_served_workspace(
    directory: Path, servers: "Mapping[str, Callable[[], Settings]]", flags: Mapping[str, object]
) -> Iterator["Workspace"]:
    """Like `open_workspace`. `servers`: cards that this program serves itself; a configured card of the same name wins."""
    from dce.workspace.project import Project  # noqa: PLC0415
    from dce.workspace.settings import load_settings  # noqa: PLC0415
    from dce.workspace.workspace import Workspace  # noqa: PLC0415

    project = Project.find(directory)
    settings = load_settings(project, os.environ, **flags)

    def settings_of(card: str) -> "Settings":
        if card in servers and card not in cards_of(directory).list():
            return servers[card]()
        return load_settings(project, os.environ, **{**flags, "card": card})

    with Workspace.open(project, settings, settings_of=settings_of) as workspace:
        yield workspace


def read_settings(directory: Path, environ: Mapping[str, str], **flags: object) -> "Settings":
    """The settings in force at `directory`, which need not be a workspace."""
    from dce.workspace.project import Project  # noqa: PLC0415
    from dce.workspace.settings import load_settings  # noqa: PLC0415

    try:
        project = Project.find(directory)
    except DceError:
        project = None
    return load_settings(project, environ, **flags)


def own_settings(directory: Path) -> "Settings":
    """The settings in force at `directory`, read with this process's environment."""
    return read_settings(directory, os.environ)


def cards_of(directory: Path) -> "Cards":
    """The model cards of the workspace that contains `directory`."""
    from dce.workspace.cards import Cards  # noqa: PLC0415
    from dce.workspace.key_vault import KeyVault, find_keyring  # noqa: PLC0415
    from dce.workspace.project import Project  # noqa: PLC0415

    state_dir = Project.find(directory).state_dir
    return Cards(state_dir, KeyVault(state_dir, find_keyring(os.environ)))


def generation_of(workspace: "Workspace", generation_id: int | None) -> "Generation":
    """The named generation; for None and `LATEST` the latest. DceError `not_found`."""
    if generation_id:
        return workspace.store.generations.get(generation_id)
    latest = workspace.store.generations.latest()
    if latest is None:
        raise workspace.store.database.not_found("there is no generation yet", hint="Run `dce generate`.")
    return latest


def cycle_of(workspace: "Workspace", cycle_id: int | None) -> "Cycle":
    """The named cycle; for None the latest. DceError `not_found`."""
    return workspace.cycles.current() if cycle_id is None else workspace.cycles.get(cycle_id)


def note_empty_selection(workspace: "Workspace") -> None:
    """Prints a note if no file is selected: allowed, but seldom intended."""
    if not workspace.selection.paths():
        note("note: no files are selected, so the prompt contains none: dce select add PATH…")


def note_old_prompt(workspace: "Workspace") -> None:
    """Prints a note, once, that the prompt has moved, if an older version left one in the workspace's root."""
    from dce.workspace.project import PROMPT_FILE  # noqa: PLC0415 - not every verb opens a workspace

    if old := workspace.prompt_file.old_prompt():
        note(
            f"note: {old.name} in the workspace's root is from an older version of DCE, which no longer writes it: "
            f"the prompt is now {PROMPT_FILE}. It can contain the text of files that git ignores: delete it if you do not need it."
        )


def paths_from(project: "Project", directory: Path, names: Iterable[str]) -> list[str]:
    """Converts file names as the user typed them in `directory` into workspace paths (relative to its root).

    `-` stands for the lines of standard input, such as those of `git diff --name-only`.
    """
    typed: list[str] = []
    for name in names:
        typed += _lines_of_stdin() if name == "-" else [name]
    return [_from_root(project, directory, name) for name in typed]


def _lines_of_stdin() -> list[str]:
    return [line for line in read_text("-").splitlines() if line.strip()]


def _from_root(project: "Project", directory: Path, name: str) -> str:
    here = Path(os.path.realpath(directory))
    if Path(name).is_absolute():
        return project.relative(Path(name))
    if here == project.root or not here.is_relative_to(project.root):
        return name
    joined = posixpath.normpath(posixpath.join(here.relative_to(project.root).as_posix(), name))
    return f"{joined}/" if name.endswith("/") and joined != "." else joined


def read_text(source: str) -> str:
    """The text of a file, or of standard input for `-`. DceError `invalid_input` if it cannot be read or is not UTF-8."""
    try:
        content = sys.stdin.buffer.read() if source == "-" else Path(source).read_bytes()
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DceError("invalid_input", f"{_shown(source)} is not UTF-8 text (byte {error.start})") from None
    except OSError as error:
        raise DceError("invalid_input", f"cannot read {_shown(source)}: {error.strerror or error}") from None


def _shown(source: str) -> str:
    return "standard input" if source == "-" else source
