"""What is changed in the tests of other languages: values behind names, words of the code, statements, rows, calls that no test makes."""

from collections.abc import Mapping

from dce.workspace.judging.behaviour.language import Sources
from dce.workspace.judging.behaviour.mutated.dictionary import dictionary
from dce.workspace.judging.behaviour.mutated.shell_commands import lines_varied
from dce.workspace.judging.behaviour.other_row import OTHERS
from dce.workspace.judging.behaviour.probe import Probe

GO = "package calc\n\ntype Box struct{ n int }\n\nfunc NewBox(n int) *Box { return &Box{n} }\n\nfunc (b *Box) Put(n int) { b.n += n }\n\nfunc (b *Box) Sum() int { return b.n }\n\nfunc Add(a int, s string) int { return a }\n"
SHELL = '#!/bin/sh\ncase $1 in\n    add) echo "$2" >> list ;;\n    show) cat list ;;\n    *) exit 2 ;;\nesac\n'
SHELL_TEST = 'check() { if [ "$2" = "$3" ]; then echo "ok $1"; fi; }\nprintf \'b\\na\\n\' > log.txt\nsh do.sh add one\nsh do.sh add two\ncheck show "$(sh do.sh show log.txt)" "one"\n'


def made(path: str, versions: tuple[str, ...], tests: Mapping[str, str]) -> tuple[Probe, ...]:
    """The probes for versions of one file."""
    return tuple(OTHERS.make(Sources(changed={path: versions}, tests=tests), 0))


def go_probes(test: str, code: str = GO) -> tuple[Probe, ...]:
    """The probes of a Go test."""
    versions = (GO, code, code + "\n// other\n")
    return made("calc.go", versions, {"calc_test.go": f'package calc\n\nimport "testing"\n\n{test}'})


def shell_probes(test: str = SHELL_TEST, code: str = SHELL) -> tuple[Probe, ...]:
    """The probes of a shell test."""
    return made("do.sh", (SHELL, code, code + "\n"), {"test_do.sh": test})


def has(probes: tuple[Probe, ...], *pieces: str) -> bool:
    """Whether some probe has all of these pieces in its text."""
    return any(all(piece in probe.steps[0] for piece in pieces) for probe in probes)


def test_a_constant_that_a_test_names_is_another_one() -> None:
    """The value behind the name changes in the one test; elsewhere it stays."""
    probes = go_probes(
        'const size = 40\n\nfunc TestAdd(t *testing.T) {\n\tif Add(size, "x") != 40 {\n\t\tt.Fatal()\n\t}\n}\n'
    )
    assert has(probes, "const size = 41", "Add(size,")
    rust = "pub fn add(a: i32) -> i32 { a }\n"
    test = "use x::add;\nconst SIZE: i32 = 40;\n#[test]\nfn adds() { assert_eq!(add(SIZE), 99); }\n"
    assert has(made("src/lib.rs", (rust, rust + "\n"), {"tests/add.rs": test}), "const SIZE: i32 = 41;", "add(SIZE)")


def test_numbers_and_words_of_the_answers_code_are_used() -> None:
    """A limit, its neighbours, a key: what the answers have and the workspace has not comes first."""
    code = GO.replace("{ return a }", '{ if a > 170 || s == "email" { return 1 }; return a }')
    test = 'func TestAdd(t *testing.T) {\n\tif Add(7, "abc") != 7 {\n\t\tt.Fatal()\n\t}\n}\n'
    probes = go_probes(test, code)
    assert has(probes, "Add(170,")
    assert has(probes, "Add(171,")
    assert has(probes, "Add(169,")
    assert has(probes, '"email"')
    assert has(probes, '"abcemail"')
    assert not has(go_probes(test), '"email"')


def test_what_a_shell_script_tells_apart() -> None:
    """Subcommands, options of `case`, of comparisons and of getopts are words of the code; options of what it calls are none."""
    text = 'while getopts "ab:" o; do :; done\ncase $1 in --long|-l) grep -q x f ;; list|"show") ;; esac\n[ "$2" = -z ] && sort -u f\n'
    words = dictionary({"do.sh": ("", text)})
    assert set(words.options) == {"-a", "-b", "--long", "-l", "-z"}
    assert set(words.commands) == {"list", "show"}


def test_statements_are_repeated_left_out_and_moved() -> None:
    """Only calls of the code, not what judges."""
    probes = go_probes("func TestBox(t *testing.T) {\n\tb := NewBox(1)\n\tb.Put(2)\n\tb.Put(3)\n\tt.Log(b.Sum())\n}\n")
    own = tuple(probe for probe in probes if probe.origin == "sequence" and probe.header[-1] == "TestBox")
    assert has(own, "b.Put(2)\nb.Put(2)\n")
    assert has(own, "b.Put(3)\n\tb.Put(2)\n")
    assert any("b.Put(2)" not in probe.steps[0] for probe in own)
    assert all(probe.steps[0].count("t.Log") == 1 for probe in own)


def test_lists_get_one_more_item_that_differs_in_one_field() -> None:
    """A copy of an item with another value, not only the same again."""
    test = 'func TestAll(t *testing.T) {\n\tfor _, c := range []struct{ s string; n int }{{"a", 1}, {"b", 2}} {\n\t\tAdd(c.n, c.s)\n\t}\n}\n'
    assert has(go_probes(test), '{"b", 2}, {"b", 0}')
    rust = "pub fn all(v: Vec<(i32, &str)>) -> i32 { 1 }\n"
    probes = made(
        "src/lib.rs",
        (rust, rust + "\n"),
        {"tests/a.rs": 'use x::all;\n#[test]\nfn sums() { assert_eq!(all(vec![(1, "a"), (2, "b")]), 99); }\n'},
    )
    assert has(probes, '(2, "b"), (2, "")')


def test_calls_that_no_test_makes() -> None:
    """Functions with values of the tests, and sequences of calls on an object, in every language whose tests are functions."""
    probes = go_probes('func TestAdd(t *testing.T) {\n\tif Add(7, "abc") != 7 {\n\t\tt.Fatal()\n\t}\n}\n')
    assert any(probe.origin == "surface" and probe.label.startswith("Add(") for probe in probes)
    sequences = [probe for probe in probes if probe.header[-1] == "" and probe.origin == "sequence"]
    assert any("o := NewBox(" in probe.steps[0] and probe.steps[0].count("o.Put(") > 2 for probe in sequences)
    assert all(probe.steps[0].rstrip("}\n ").endswith("o.Sum()) })") for probe in sequences)


def test_calls_of_a_package_from_outside_name_it() -> None:
    """Tests in a package of their own reach what is exported, by the package's name."""
    test = {
        "calc_test.go": 'package calc_test\n\nimport "testing"\n\nfunc TestAdd(t *testing.T) { calc.Add(7, "a") }\n'
    }
    probes = made("calc.go", (GO, GO + "\nfunc hidden(a int) int { return a }\n", GO + "\n"), test)
    new = [probe for probe in probes if probe.header[-1] == "" and probe.origin == "surface"]
    assert new
    assert all("calc.Add(" in probe.steps[0] for probe in new)


def test_a_script_gets_other_arguments() -> None:
    """Left out, repeated, swapped, odd ones, other subcommands of its `case`, and new calls between those of the test."""
    probes = shell_probes()
    assert has(probes, "sh do.sh add \nsh do.sh add two") or has(probes, "sh do.sh add\nsh do.sh add two")
    assert has(probes, "sh do.sh add one one\n")
    assert has(probes, "sh do.sh one add\n")
    assert has(probes, "sh do.sh show one\n")
    assert has(probes, "sh do.sh add ''\n")
    assert any(probe.origin == "surface" and probe.label.startswith("+ sh do.sh add") for probe in probes)


def test_options_of_the_code_are_given_to_it() -> None:
    """An option that stands in the answers' code is added to calls and put in the place of other words."""
    probes = shell_probes(code=SHELL.replace("add)", "--all|-a) ls ;;\n    add)"))
    assert has(probes, "sh do.sh add one --all\n")
    assert has(probes, "sh do.sh --all")


def test_files_that_a_script_reads_get_other_lines_and_names() -> None:
    """Lines left out, repeated, in another order, a name with a space, a file that is missing."""
    probes = shell_probes()
    assert has(probes, "printf 'a\\nb\\n' > log.txt") or has(probes, "printf 'a\\nb\\n' >log.txt")
    assert has(probes, "> 'log x.txt'", "show 'log x.txt'")
    assert has(probes, "show no-such-file")
    here = "cat > f.txt <<EOF\nb\na\nEOF\nsh do.sh show f.txt\n"
    assert has(shell_probes(here), "<<EOF\na\nb\nEOF\n")


def test_lines_varied() -> None:
    """Empty input, no end of the last line, lines dropped, repeated, sorted, blank ones."""
    found = list(lines_varied("b\na\n", "\n", dictionary({})))
    assert {"", "b\na", "a\nb\n", "b\na\nb\na\n", "a\n", "b\n", "b\n\na\n", "  b\nb\na\n"} <= set(found)


def test_the_end_of_a_shell_test_shows_what_is_left() -> None:
    """Every probe ends with the calls whose output the test reads."""
    assert all(probe.steps[0].rstrip().endswith("</dev/null") for probe in shell_probes())
