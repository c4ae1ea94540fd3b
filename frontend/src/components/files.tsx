// The files of the workspace, to be ticked into the prompt, with what each costs.

import { useMemo, useState } from "react";
import {
  Button,
  Checkbox,
  Collection,
  type Key,
  ListLayout,
  type Selection,
  Tree,
  TreeItem,
  TreeItemContent,
  Virtualizer,
} from "react-aria-components";
import type { FileView } from "../api/generated";
import { loadFiles, select } from "../state/actions";
import { use } from "../state/store";
import { number, tokensShort } from "../text/words";
import { text } from "../text/messages";
import { Check, Chevron, Dash, Refresh } from "./icons";
import { ticked, ticksOf, type Tick, treeOf, type Node } from "./tree";

const MAX_OPEN_AT_FIRST = 200;
const ROW_PX = 26;
const LAYOUT = { rowHeight: ROW_PX };
const NONE: ReadonlyArray<FileView> = [];

export function Files() {
  const files = use((state) => state.files) ?? NONE;
  const isLoading = use((state) => state.files === null);
  const selection = use((state) => state.selection);
  const [filter, setFilter] = useState("");
  const shown = useMemo(() => {
    const words = filter.toLowerCase().split(/\s+/);
    return files.filter(({ path }) => words.every((word) => path.toLowerCase().includes(word)));
  }, [files, filter]);
  return (
    <section className="files" aria-labelledby="files-title">
      <div className="row">
        <h2 id="files-title">{text.context.title}</h2>
        <button type="button" className="quiet push" aria-label={text.context.reload} onClick={() => loadFiles()}>
          <Refresh />
        </button>
      </div>
      <input
        type="search"
        id="file-filter"
        className="filter"
        placeholder={text.context.filter}
        aria-label={text.context.filterLabel}
        aria-keyshortcuts="f"
        value={filter}
        onChange={(event) => setFilter(event.target.value)}
      />
      {isLoading ? (
        <p className="empty">{text.context.reading}</p>
      ) : shown.length === 0 ? (
        <p className="empty">{filter ? text.context.noMatch : text.context.noFiles}</p>
      ) : (
        <FileTree files={shown} all={files} selection={selection} isFiltered={filter !== ""} />
      )}
      <Totals files={files} selection={selection} />
    </section>
  );
}

interface TreeProps {
  files: ReadonlyArray<FileView>;
  all: ReadonlyArray<FileView>;
  selection: ReadonlySet<string>;
  isFiltered: boolean;
}

function FileTree({ files, all, selection, isFiltered }: TreeProps) {
  const nodes = useMemo(() => treeOf(files), [files]);
  const ticks = useMemo(() => ticksOf(files, selection), [files, selection]);
  const folders = useMemo(() => [...ticksOf(files, new Set()).keys()], [files]);
  const [closed, setClosed] = useState<ReadonlySet<Key>>(
    () => new Set(files.length > MAX_OPEN_AT_FIRST ? folders : []),
  );
  const open = useMemo(
    () => new Set<Key>(folders.filter((folder) => isFiltered || !closed.has(folder))),
    [folders, closed, isFiltered],
  );
  const keys = useMemo(
    () => new Set<Key>([...selection, ...folders.filter((folder) => ticks.get(folder) === "all")]),
    [selection, folders, ticks],
  );
  const disabled = useMemo(() => all.filter((file) => file.excluded).map((file) => file.path), [all]);
  const onSelection = (chosen: Selection) => {
    const next = chosen === "all" ? new Set<Key>(files.map((file) => file.path)) : chosen;
    const on = [...next].filter((key) => !keys.has(key)).map(String);
    const off = [...keys].filter((key) => !next.has(key)).map(String);
    void select(ticked(files, ticked(files, selection, off, false), on, true));
  };
  return (
    <Virtualizer layout={ListLayout} layoutOptions={LAYOUT}>
    <Tree
      className="tree"
      aria-label={text.context.tree}
      selectionMode="multiple"
      selectedKeys={keys}
      onSelectionChange={onSelection}
      expandedKeys={open}
      onExpandedChange={(expanded) => setClosed(new Set(folders.filter((folder) => !expanded.has(folder))))}
      disabledKeys={disabled}
      disabledBehavior="selection"
      escapeKeyBehavior="none"
      dependencies={[ticks, open]}
      items={nodes}
    >
      {(node) => <Row node={node} ticks={ticks} open={open} />}
    </Tree>
    </Virtualizer>
  );
}

function Row({ node, ticks, open }: { node: Node; ticks: ReadonlyMap<string, Tick>; open: ReadonlySet<Key> }) {
  const { file } = node;
  const isFolder = file === null;
  return (
    <TreeItem id={node.id} textValue={node.name} hasChildItems={isFolder} className="tree-row">
      <TreeItemContent>
        <div className="tree-line">
        {isFolder && (
          <Button slot="chevron" className="tree-chevron">
            <Chevron />
          </Button>
        )}
        <Checkbox slot="selection" className="tick" isIndeterminate={ticks.get(node.id) === "some"}>
          {({ isIndeterminate, isSelected }) => (
            <span className="box">{isIndeterminate ? <Dash /> : isSelected ? <Check /> : null}</span>
          )}
        </Checkbox>
        <span className={file?.excluded ? "name is-excluded" : "name"} title={node.id}>
          {node.name}
          {isFolder && "/"}
        </span>
        {file?.excluded ? (
          <span className="cost" title={file.excluded}>
            {file.excluded.replace(/ \(.*/, "")}
          </span>
        ) : (
          file?.count && (
            <span className="cost" title={text.context.tokens(number(file.count.tokens), file.count.exact)}>
              {tokensShort(file.count)}
            </span>
          )
        )}
        </div>
      </TreeItemContent>
      {isFolder && open.has(node.id) && (
        <Collection items={node.children} dependencies={[ticks, open]}>
          {(child) => <Row node={child} ticks={ticks} open={open} />}
        </Collection>
      )}
    </TreeItem>
  );
}

function Totals({ files, selection }: { files: ReadonlyArray<FileView>; selection: ReadonlySet<string> }) {
  const chosen = files.filter((file) => selection.has(file.path));
  const tokens = chosen.reduce((sum, file) => sum + (file.count?.tokens ?? 0), 0);
  const isExact = chosen.every((file) => file.count?.exact ?? true);
  const gone = selection.size - chosen.length;
  return (
    <div className="totals">
      <span aria-live="polite">
        {selection.size === 0
          ? text.context.nothingSelected
          : text.context.selected(chosen.length, tokensShort({ tokens, exact: isExact }))}
        {files.length > 0 && gone > 0 && text.context.gone(gone)}
      </span>
      {selection.size > 0 && (
        <button type="button" className="quiet push" onClick={() => select(new Set())}>
          {text.context.clear}
        </button>
      )}
    </div>
  );
}
