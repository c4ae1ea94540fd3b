// The workspace's files as a tree, and what a tick on a folder means for the files in it.

import type { FileView } from "../api/generated";

export interface Node {
  readonly id: string;
  readonly name: string;
  readonly file: FileView | null;
  readonly children: Node[];
}

/** Folders first, each level by name. Ids are paths; a folder's ends in a slash. */
export function treeOf(files: ReadonlyArray<FileView>): Node[] {
  const root: Node = { id: "", name: "", file: null, children: [] };
  const folders = new Map<string, Node>([["", root]]);
  const folderAt = (id: string): Node => {
    const known = folders.get(id);
    if (known) return known;
    const cut = id.lastIndexOf("/", id.length - 2) + 1;
    const node: Node = { id, name: id.slice(cut, -1), file: null, children: [] };
    folders.set(id, node);
    folderAt(id.slice(0, cut)).children.push(node);
    return node;
  };
  for (const file of files) {
    const cut = file.path.lastIndexOf("/") + 1;
    folderAt(file.path.slice(0, cut)).children.push({ id: file.path, name: file.path.slice(cut), file, children: [] });
  }
  for (const node of folders.values()) {
    node.children.sort((a, b) => Number(a.file !== null) - Number(b.file !== null) || a.name.localeCompare(b.name));
  }
  return root.children;
}

export type Tick = "none" | "some" | "all";

/** The state of every folder; a folder without a file that can be chosen has none. */
export function ticksOf(files: ReadonlyArray<FileView>, selection: ReadonlySet<string>): Map<string, Tick> {
  const counts = new Map<string, [chosen: number, all: number]>();
  for (const file of files) {
    if (file.excluded) continue;
    for (let cut = file.path.lastIndexOf("/"); cut >= 0; cut = file.path.lastIndexOf("/", cut - 1)) {
      const folder = file.path.slice(0, cut + 1);
      const [chosen, all] = counts.get(folder) ?? [0, 0];
      counts.set(folder, [chosen + Number(selection.has(file.path)), all + 1]);
      if (cut === 0) break;
    }
  }
  return new Map(
    [...counts].map(([folder, [chosen, all]]) => [folder, chosen === 0 ? "none" : chosen < all ? "some" : "all"]),
  );
}

/** The selection after some ids (files or folders) were ticked or unticked. */
export function ticked(
  files: ReadonlyArray<FileView>,
  selection: ReadonlySet<string>,
  ids: Iterable<string>,
  isOn: boolean,
): Set<string> {
  const next = new Set(selection);
  for (const id of ids) {
    for (const file of files) {
      const isHit = id.endsWith("/") ? file.path.startsWith(id) : file.path === id;
      if (isHit && isOn && !file.excluded) next.add(file.path);
      if (isHit && !isOn) next.delete(file.path);
    }
  }
  return next;
}
