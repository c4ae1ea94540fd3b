"""What makes many functions one test: the source that calls each of them, writes what it says, and ends the process if one takes too long.

A row is a language. The functions say what they see instead of failing: an assertion that does not hold would hide all those behind it.
"""

import re
from collections.abc import Callable, Sequence

import msgspec

from dce.workspace.judging.behaviour.mutated.changes import Change, changed
from dce.workspace.judging.behaviour.mutated.trees import tree_of, walk

ENTRY = "dce_mutated"

MAX_TEST_MS = 1000
"""How long one function may take."""


class Harness(msgspec.Struct, frozen=True, kw_only=True):
    """`suffix`: of the files. `function`: the source of one test under the name `dce_t` and its number; `main`: the rest, for these numbers and
    this file for results. `before`: what is put behind a file's first clause. `flags`: variables to which flags are added."""

    suffix: str
    function: Callable[[str, int, frozenset[str]], str]
    main: Callable[[Sequence[int], str], str]
    before: str = ""
    flags: str = ":"


_GO_BEFORE = '; import (dcefmt "fmt"; dceos "os"; dcereflect "reflect"; dcesort "sort"; dcestrings "strings"; dcetime "time"; dcetesting "testing")'

_GO_MAIN = r"""
var dceNow, dceSaid, dceRound int
var dceStart dcetime.Time
var dceFile *dceos.File

func dceWrite(kind, text string) {
	if dceFile == nil { dceFile, _ = dceos.OpenFile(SAID, dceos.O_APPEND|dceos.O_CREATE|dceos.O_WRONLY, 0o644) }
	if len(text) > 600 { text = text[:600] }
	dcefmt.Fprintf(dceFile, "%d\t%d\t%s\t%q\n", dceNow, dceRound, kind, text)
}

func dceShow(v dcereflect.Value, depth int) string {
	if !v.IsValid() { return "nil" }
	if v.CanInterface() {
		if err, ok := v.Interface().(error); ok && err != nil { return "error" }
	}
	switch v.Kind() {
	case dcereflect.Bool, dcereflect.Int, dcereflect.Int8, dcereflect.Int16, dcereflect.Int32, dcereflect.Int64,
		dcereflect.Uint, dcereflect.Uint8, dcereflect.Uint16, dcereflect.Uint32, dcereflect.Uint64, dcereflect.Float32, dcereflect.Float64, dcereflect.Complex128:
		return dcefmt.Sprint(v)
	case dcereflect.String:
		return dcefmt.Sprintf("%q", v.String())
	case dcereflect.Ptr, dcereflect.Interface:
		if v.IsNil() { return "nil" }
		if depth > 3 { return "..." }
		return dceShow(v.Elem(), depth+1)
	case dcereflect.Slice:
		if v.IsNil() { return "nil" }
		fallthrough
	case dcereflect.Array:
		parts := []string{}
		for i := 0; i < v.Len() && i < 50 && depth <= 4; i++ { parts = append(parts, dceShow(v.Index(i), depth+1)) }
		return dcefmt.Sprint(v.Len()) + "[" + dcestrings.Join(parts, " ") + "]"
	case dcereflect.Map:
		if v.IsNil() { return "nil" }
		parts := []string{}
		for _, key := range v.MapKeys() { parts = append(parts, dceShow(key, depth+1)+":"+dceShow(v.MapIndex(key), depth+1)) }
		dcesort.Strings(parts)
		return "{" + dcestrings.Join(parts, " ") + "}"
	case dcereflect.Struct:
		parts := []string{}
		for i := 0; i < v.NumField() && depth <= 4; i++ {
			if f := v.Type().Field(i); f.PkgPath == "" { parts = append(parts, f.Name+"="+dceShow(v.Field(i), depth+1)) }
		}
		return "(" + dcestrings.Join(parts, " ") + ")"
	}
	return v.Kind().String()
}

func dceSay(values ...interface{}) {
	dceSaid++
	if dceSaid > 150 { return }
	parts := []string{}
	for _, v := range values { parts = append(parts, dceShow(dcereflect.ValueOf(v), 0)) }
	dceWrite("said", dcestrings.Join(parts, " "))
}

func dceSee[T any](value T) T { dceSay(value); return value }

func dceTry(f func()) {
	defer func() { if recover() != nil { dceWrite("said", "panics") } }()
	f()
}

func dceLook(object interface{}) {
	v := dcereflect.ValueOf(object)
	if !v.IsValid() { return }
	for i := 0; i < v.NumMethod() && i < 20; i++ {
		m := v.Method(i)
		if m.Type().NumIn() != 0 || m.Type().NumOut() == 0 { continue }
		dceTry(func() {
			for _, out := range m.Call(nil) { dceWrite("said", v.Type().Method(i).Name+" "+dceShow(out, 0)) }
		})
	}
}

func TestDceMutated(t *dcetesting.T) {
	tests := map[int]func(*dcetesting.T){FUNCTIONS}
	order := []int{NUMBERS}
	skip, _ := dceos.ReadFile(SAID + ".skip")
	dceStart = dcetime.Now()
	go func() {
		for {
			dcetime.Sleep(50 * dcetime.Millisecond)
			if dcetime.Since(dceStart) > LIMIT*dcetime.Millisecond { dceWrite("late", ""); dceos.Exit(7) }
		}
	}()
	for dceRound = 0; dceRound < 2; dceRound++ {
		for at := range order {
			n := order[at]
			if dceRound == 1 { n = order[len(order)-1-at] }
			if dcestrings.Contains(string(skip), dcefmt.Sprintf(",%d,", n)) { continue }
			dceNow, dceSaid, dceStart = n, 0, dcetime.Now()
			dceWrite("begin", "")
			t.Run("dce", func(t *dcetesting.T) {
				defer func() { if recover() != nil { dceWrite("said", "panics") } }()
				defer func() { if t.Failed() { dceWrite("said", "fails") } }()
				tests[n](t)
			})
			dceWrite("end", "")
		}
	}
	dceNow = -1
	dceWrite("done", "")
	dceStart = dcetime.Now().Add(dcetime.Hour)
	t.Fatal("done")
}
"""

_RUST_MAIN = r"""
#[allow(dead_code)] static DCE_NOW: std::sync::atomic::AtomicI64 = std::sync::atomic::AtomicI64::new(-1);
#[allow(dead_code)] static DCE_ROUND: std::sync::atomic::AtomicI64 = std::sync::atomic::AtomicI64::new(0);
#[allow(dead_code)] static DCE_SAID: std::sync::atomic::AtomicI64 = std::sync::atomic::AtomicI64::new(0);
#[allow(dead_code)] static DCE_BEGUN: std::sync::atomic::AtomicI64 = std::sync::atomic::AtomicI64::new(0);
#[allow(dead_code)]
fn dce_ms() -> i64 { std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map(|d| d.as_millis() as i64).unwrap_or(0) }
#[allow(dead_code)]
fn dce_write(kind: &str, text: &str) {
    use std::io::Write as _;
    let order = std::sync::atomic::Ordering::SeqCst;
    let text: String = text.chars().take(600).collect();
    let line = format!("{}\t{}\t{}\t{:?}\n", DCE_NOW.load(order), DCE_ROUND.load(order), kind, text);
    if let Ok(mut file) = std::fs::OpenOptions::new().append(true).create(true).open(SAID) { let _ = file.write_all(line.as_bytes()); }
}
#[allow(dead_code)]
fn dce_say(text: String) {
    if DCE_SAID.fetch_add(1, std::sync::atomic::Ordering::SeqCst) < 150 { dce_write("said", &text); }
}
#[test]
fn dce_mutated() {
    let order = std::sync::atomic::Ordering::SeqCst;
    let tests: Vec<(i64, fn())> = vec![FUNCTIONS];
    let skip = std::fs::read_to_string(format!("{}.skip", SAID)).unwrap_or_default();
    std::panic::set_hook(Box::new(|_| ()));
    DCE_BEGUN.store(dce_ms(), order);
    std::thread::spawn(|| loop {
        std::thread::sleep(std::time::Duration::from_millis(50));
        if dce_ms() - DCE_BEGUN.load(std::sync::atomic::Ordering::SeqCst) > LIMIT { dce_write("late", ""); std::process::exit(7); }
    });
    for round in 0..2 {
        for at in 0..tests.len() {
            let (n, test) = tests[if round == 0 { at } else { tests.len() - 1 - at }];
            if skip.contains(&format!(",{},", n)) { continue; }
            DCE_NOW.store(n, order); DCE_ROUND.store(round, order); DCE_SAID.store(0, order); DCE_BEGUN.store(dce_ms(), order);
            dce_write("begin", "");
            if std::panic::catch_unwind(test).is_err() { dce_write("said", "panics"); }
            dce_write("end", "");
        }
    }
    DCE_NOW.store(-1, order);
    dce_write("done", "");
    DCE_BEGUN.store(i64::MAX / 2, order);
}
#[allow(unused_macros)] macro_rules! dce_assert { ($c:expr $(, $($r:tt)*)?) => { dce_say(format!("{}", $c)) } }
#[allow(unused_macros)] macro_rules! dce_assert_eq { ($a:expr, $b:expr $(,)?) => { match (&$a, &$b) { (a, b) => { let same = *a == *b; dce_say(format!("{} {:?} {:?}", same, a, b)) } } }; ($a:expr, $b:expr, $($r:tt)+) => { dce_assert_eq!($a, $b) } }
#[allow(unused_macros)] macro_rules! dce_assert_ne { ($($r:tt)*) => { dce_assert_eq!($($r)*) } }
#[allow(unused_macros)] macro_rules! dce_see { ($e:expr) => { if std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| { let v = $e; dce_say(format!("{:?}", v)); })).is_err() { dce_say("panics".to_string()) } } }
#[allow(unused_macros)] macro_rules! dce_do { ($e:expr) => { if std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| { let _ = $e; })).is_err() { dce_say("panics".to_string()) } } }
"""


def _go_function(text: str, number: int, single: frozenset[str]) -> str:
    text = re.sub(r"^func\s+\w+", f"func dce_t{number}", text, count=1)
    match = re.match(r"func \w+\(\s*(\w+)\s", text)
    t = match[1] if match else "t"
    text = re.sub(rf"\b{t}\.(?:Fatal|Error|Log|Skip)f?\(", "dceSay(", text)
    text = re.sub(rf"\b{t}\.(?:FailNow|Fail|SkipNow)\(\)", 'dceSay("fails")', text)
    text = re.sub(rf"\b{t}\.Parallel\(\)", "", text)
    head = "package x\n"
    tree = tree_of(head + text, "x_test.go")
    if tree is None:
        return text
    changes, looked = [], []
    for node in walk(tree.root):
        name = node.child_by_field_name("function") if node.type == "call_expression" else None
        if (
            name is not None
            and tree.text(name).split(".")[-1] in single
            and node.parent.type not in {"go_statement", "defer_statement"}
        ):
            changes += [Change(node.start_byte, node.start_byte, "dceSee("), Change(node.end_byte, node.end_byte, ")")]
        if (
            node.type == "short_var_declaration"
            and node.parent.type == "statement_list"
            and node.parent.parent.parent.type == "function_declaration"
        ):
            left = tree.text(node.named_children[0])
            if re.fullmatch(r"\w+", left):
                looked.append(left)
    body = changed(tree.content, changes).removeprefix(head).rstrip()
    ends = "".join(f"\tdceLook({name})\n" for name in dict.fromkeys(looked) if name != "_")
    return f"{body[:-1]}\n{ends}}}" if body.endswith("}") else body


def _go_main(numbers: Sequence[int], said: str) -> str:
    functions = ", ".join(f"{number}: dce_t{number}" for number in numbers)
    return _filled(_GO_MAIN, numbers, functions, said)


def _rust_function(text: str, number: int, _: frozenset[str]) -> str:
    text = re.sub(r"\bfn\s+\w+", f"fn dce_t{number}", text, count=1)
    text = re.sub(r"\b(?:debug_)?assert(_eq|_ne)?!", r"dce_assert\1!", text)
    head = text.split("{", 1)[0]
    if "->" in head:
        name = f"dce_t{number}"
        inner = text.replace(name, f"{name}_inner", 1)
        return f'{inner}\nfn {name}() {{ dce_say(format!("{{}}", {name}_inner().is_ok())); }}'
    return text


def _rust_main(numbers: Sequence[int], said: str) -> str:
    functions = ", ".join(f"({number}, dce_t{number} as fn())" for number in numbers)
    return _filled(_RUST_MAIN, numbers, functions, said)


def _filled(source: str, numbers: Sequence[int], functions: str, said: str) -> str:
    quoted = '"' + said.replace("\\", "\\\\").replace('"', '\\"') + '"'
    source = (
        source.replace("SAID + ", f"{quoted} + ")
        .replace("open(SAID)", f"open({quoted})")
        .replace("(SAID,", f"({quoted},")
        .replace(", SAID)", f", {quoted})")
    )
    source = source.replace("FUNCTIONS", functions).replace("NUMBERS", ", ".join(map(str, numbers)))
    return source.replace("> LIMIT", f"> {MAX_TEST_MS}")


HARNESSES: tuple[Harness, ...] = (
    Harness(
        suffix="_test.go",
        function=_go_function,
        main=_go_main,
        before=_GO_BEFORE,
        flags='GOFLAGS="$GOFLAGS -gcflags=-e -vet=off"; export GOFLAGS',
    ),
    Harness(suffix=".rs", function=_rust_function, main=_rust_main),
)
"""The languages whose tests run together."""
