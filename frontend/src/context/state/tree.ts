// The files as a tree in flat arrays: a node is a number, its subtree the numbers up to `ends[node]`. For a hundred thousand files,
// building the tree takes tens of milliseconds and summing it a few.

import type { FileTable } from "../../state/filetable";

export interface Tree {
  readonly names: ReadonlyArray<string>;
  /** A file's path; a folder's ends in a slash. */
  readonly ids: ReadonlyArray<string>;
  readonly depths: Uint16Array;
  readonly parents: Int32Array;
  readonly ends: Int32Array;
  /** The file's index in the table; -1 for a folder. */
  readonly files: Int32Array;
}

const MAX_COLLATED = 2_000;
const collator = new Intl.Collator("en", { numeric: true });

/** Folders first, each level by name. `paths` are sorted, so a folder's are next to each other. */
export function treeOf(paths: ReadonlyArray<string>): Tree {
  const names: string[] = [];
  const ids: string[] = [];
  const depths: number[] = [];
  const parents: number[] = [];
  const ends: number[] = [];
  const files: number[] = [];

  const add = (name: string, id: string, depth: number, parent: number, file: number) => {
    names.push(name);
    ids.push(id);
    depths.push(depth);
    parents.push(parent);
    ends.push(names.length);
    files.push(file);
    return names.length - 1;
  };
  const level = (from: number, to: number, cut: number, parent: number, depth: number) => {
    const folders: [name: string, from: number, to: number][] = [];
    const leaves: [name: string, at: number][] = [];
    let at = from;
    while (at < to) {
      const path = paths[at] ?? "";
      const slash = path.indexOf("/", cut);
      if (slash < 0) {
        leaves.push([path.slice(cut), at++]);
        continue;
      }
      const head = path.slice(0, slash + 1);
      const first = at;
      while (at < to && paths[at]?.startsWith(head)) at++;
      folders.push([path.slice(cut, slash), first, at]);
    }
    for (const list of [folders, leaves]) {
      if (list.length <= MAX_COLLATED) (list as [string, number][]).sort(([a], [b]) => collator.compare(a, b));
    }
    for (const [name, first, last] of folders) {
      const node = add(name, `${paths[first]?.slice(0, cut)}${name}/`, depth, parent, -1);
      level(first, last, cut + name.length + 1, node, depth + 1);
      ends[node] = names.length;
    }
    for (const [name, file] of leaves) add(name, paths[file] ?? "", depth, parent, file);
  };
  level(0, paths.length, 0, -1, 0);
  return {
    names,
    ids,
    depths: Uint16Array.from(depths),
    parents: Int32Array.from(parents),
    ends: Int32Array.from(ends),
    files: Int32Array.from(files),
  };
}

/** The totals of every node. */
export interface Sums {
  readonly tokens: Float64Array;
  /** The number of files that can be selected, and of those that are. */
  readonly usable: Int32Array;
  readonly chosen: Int32Array;
  /** The number of files whose tokens are estimated. */
  readonly guessed: Int32Array;
}

export function sumsOf(tree: Tree, table: FileTable, selection: ReadonlySet<string>): Sums {
  const size = tree.ids.length;
  const sums: Sums = {
    tokens: new Float64Array(size),
    usable: new Int32Array(size),
    chosen: new Int32Array(size),
    guessed: new Int32Array(size),
  };
  const { tokens, usable, chosen, guessed } = sums;
  for (let node = size - 1; node >= 0; node--) {
    const file = tree.files[node] ?? -1;
    const id = tree.ids[node] ?? "";
    if (file >= 0 && !table.excluded.has(id)) {
      tokens[node] = table.tokens[file] ?? 0;
      usable[node] = 1;
      chosen[node] = selection.has(id) ? 1 : 0;
      guessed[node] = table.exact[file] ? 0 : 1;
    }
    const parent = tree.parents[node] ?? -1;
    if (parent < 0) continue;
    tokens[parent]! += tokens[node]!;
    usable[parent]! += usable[node]!;
    chosen[parent]! += chosen[node]!;
    guessed[parent]! += guessed[node]!;
  }
  return sums;
}

export type Tick = "none" | "some" | "all";

export const tickOf = (sums: Sums, node: number): Tick => {
  const chosen = sums.chosen[node] ?? 0;
  return chosen === 0 ? "none" : chosen < (sums.usable[node] ?? 0) ? "some" : "all";
};

/** The visible rows in order, each with its position among its siblings. */
export interface Rows {
  readonly nodes: Int32Array;
  readonly places: Int32Array;
  /** How many siblings each node's parent shows; by parent + 1. */
  readonly siblings: Int32Array;
}

/** `matches`: the files that match the filter, by index in the table; null: all do. Folders without a match are left out. */
export function rowsOf(tree: Tree, matches: Uint8Array | null, isOpen: (node: number) => boolean): Rows {
  const size = tree.ids.length;
  const shown = matches ? new Uint8Array(size) : null;
  if (shown && matches) {
    for (let node = size - 1; node >= 0; node--) {
      const file = tree.files[node] ?? -1;
      if (file >= 0) shown[node] = matches[file] ?? 0;
      const parent = tree.parents[node] ?? -1;
      if (shown[node] && parent >= 0) shown[parent] = 1;
    }
  }
  const nodes: number[] = [];
  const places: number[] = [];
  const siblings = new Int32Array(size + 1);
  for (let node = 0; node < size; ) {
    if (shown && !shown[node]) {
      node = tree.ends[node] ?? size;
      continue;
    }
    nodes.push(node);
    const group = (tree.parents[node] ?? -1) + 1;
    siblings[group]! += 1;
    places.push(siblings[group]!);
    const isClosed = (tree.files[node] ?? -1) < 0 && !isOpen(node);
    node = isClosed ? (tree.ends[node] ?? size) : node + 1;
  }
  return { nodes: Int32Array.from(nodes), places: Int32Array.from(places), siblings };
}

/** The selection after a node was selected or deselected. `matches` as for `rowsOf`: files that are filtered out stay as they are. */
export function ticked(
  tree: Tree,
  table: FileTable,
  selection: ReadonlySet<string>,
  node: number,
  matches: Uint8Array | null,
): Set<string> {
  const next = new Set(selection);
  const hit: string[] = [];
  for (let at = node; at < (tree.ends[node] ?? 0); at++) {
    const file = tree.files[at] ?? -1;
    const id = tree.ids[at] ?? "";
    if (file >= 0 && !table.excluded.has(id) && (!matches || matches[file])) hit.push(id);
  }
  const isOn = hit.some((id) => !selection.has(id));
  for (const id of hit) {
    if (isOn) next.add(id);
    else next.delete(id);
  }
  return next;
}
