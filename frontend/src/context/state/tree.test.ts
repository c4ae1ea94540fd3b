import { expect, test } from "vitest";
import type { FilesView } from "../../api/generated";
import { FileTable } from "../../state/filetable";
import { rowsOf, sumsOf, ticked, tickOf, treeOf } from "./tree";

const PATHS = ["a-b/z.py", "a/b/c.py", "a/d.py", "README.md", "z10.md", "z9.md"].toSorted();

const view = (change: Partial<FilesView> = {}): FilesView => ({
  cursor: "r:1",
  is_whole: true,
  is_counting: false,
  paths: PATHS,
  sizes: PATHS.map(() => 8),
  tokens: PATHS.map(() => 3),
  exact: "1".repeat(PATHS.length),
  excluded: {},
  documents: [],
  removed: [],
  ...change,
});

const open = () => true;
const ids = (tree: ReturnType<typeof treeOf>, nodes: Int32Array) => Array.from(nodes, (node) => tree.ids[node]);

test("folders come first, each level by name as people count", () => {
  const tree = treeOf(PATHS);
  expect(ids(tree, rowsOf(tree, null, open).nodes)).toStrictEqual([
    "a/",
    "a/b/",
    "a/b/c.py",
    "a/d.py",
    "a-b/",
    "a-b/z.py",
    "README.md",
    "z9.md",
    "z10.md",
  ]);
});

test("a closed folder hides what is in it; places count what is shown", () => {
  const tree = treeOf(PATHS);
  const rows = rowsOf(tree, null, () => false);
  expect(ids(tree, rows.nodes)).toStrictEqual(["a/", "a-b/", "README.md", "z9.md", "z10.md"]);
  expect([...rows.places]).toStrictEqual([1, 2, 3, 4, 5]);
  expect(rows.siblings[0]).toBe(5);
});

test("sums go up to every folder, and ticks follow from them", () => {
  const table = FileTable.of(view({ excluded: { "a/d.py": "binary" }, exact: "111110" }));
  const tree = treeOf(table.paths);
  const node = (id: string) => tree.ids.indexOf(id);
  const sums = sumsOf(tree, table, new Set(["a/b/c.py"]));
  expect(sums.tokens[node("a/")]).toBe(3);
  expect(sums.usable[node("a/")]).toBe(1);
  expect(tickOf(sums, node("a/"))).toBe("all");
  expect(tickOf(sums, node("a-b/"))).toBe("none");
  expect([...ticked(tree, table, new Set(["a/b/c.py"]), node("a/"), null)]).toStrictEqual([]);
  expect([...ticked(tree, table, new Set(), node("a/"), null)]).toStrictEqual(["a/b/c.py"]);
});

test("a filter leaves out folders without a match, and ticking does not touch what it hides", () => {
  const table = FileTable.of(view());
  const tree = treeOf(table.paths);
  const matches = Uint8Array.from(table.paths, (path) => Number(path.includes("d.py")));
  expect(ids(tree, rowsOf(tree, matches, open).nodes)).toStrictEqual(["a/", "a/d.py"]);
  expect([...ticked(tree, table, new Set(), tree.ids.indexOf("a/"), matches)]).toStrictEqual(["a/d.py"]);
});

test("changes are taken over: values in place, files that come and go by a new order", () => {
  const table = FileTable.of(view());
  const patched = table.after(
    view({ is_whole: false, cursor: "r:2", paths: ["a/d.py"], sizes: [4], tokens: [null], exact: "0" }),
  );
  expect(patched.paths).toBe(table.paths);
  expect(patched.find("a/d.py")).toStrictEqual({ tokens: 1, exact: false, excluded: "" });
  const merged = patched.after(
    view({
      is_whole: false,
      paths: ["b.py"],
      sizes: [8],
      tokens: [2],
      exact: "1",
      removed: ["README.md"],
      excluded: {},
    }),
  );
  expect(merged.paths).toStrictEqual(["a-b/z.py", "a/b/c.py", "a/d.py", "b.py", "z10.md", "z9.md"]);
  expect(merged.find("README.md")).toBe(undefined);
  expect(merged.paths !== table.paths).toBe(true);
});

test("a hundred thousand files are a tree", () => {
  const paths = Array.from({ length: 100_000 }, (_, at) => `pkg${at % 100}/mod${at % 1000}/file${at}.py`).toSorted();
  const tree = treeOf(paths);
  expect(tree.files.filter((file) => file >= 0).length).toBe(100_000);
  expect(rowsOf(tree, null, () => false).nodes.length).toBe(100);
});
