// The file tree. Only the rows in view are rendered. It is one tab stop: arrow keys move, Space selects, Left and Right collapse and expand.

import { type KeyboardEvent, type MouseEvent, useLayoutEffect, useMemo, useRef, useState } from "react";
import { Check, Chevron, Dash } from "../kit/icons";
import { text } from "../messages";
import type { FileTable } from "../state/filetable";
import { number, tokensShort } from "../text/words";
import { type Rows, rowsOf, type Sums, sumsOf, type Tree, ticked, tickOf, treeOf } from "./state/tree";

const ROW_PX = 26;
const OVERSCAN = 12;
const MAX_OPEN_AT_FIRST = 200;
/** A cost of more than this share of the budget is marked. */
const LARGE_SHARE = 0.2;

interface Props {
  table: FileTable;
  selection: ReadonlySet<string>;
  matches: Uint8Array | null;
  git: Readonly<Record<string, string>> | null;
  budget: number | null;
  onSelect: (selection: ReadonlySet<string>) => void;
}

export function FileTree({ table, selection, matches, git, budget, onSelect }: Props) {
  // Depends on the paths alone, which stay the same array while only counts change.
  const { paths } = table;
  const tree = useMemo(() => treeOf(paths), [paths]);
  const sums = useMemo(() => sumsOf(tree, table, selection), [tree, table, selection]);
  const [toggled, setToggled] = useState<ReadonlySet<string>>(new Set());
  const isOpenAtFirst = matches !== null || table.paths.length <= MAX_OPEN_AT_FIRST;
  const rows = useMemo(
    () => rowsOf(tree, matches, (node) => toggled.has(tree.ids[node] ?? "") !== isOpenAtFirst),
    [tree, matches, toggled, isOpenAtFirst],
  );
  const box = useRef<HTMLDivElement>(null);
  const window = useWindow(box, rows.nodes.length);
  const [activeId, setActive] = useState("");
  const active = Math.max(
    0,
    rows.nodes.findIndex((node) => tree.ids[node] === activeId),
  );
  const node = rows.nodes[active] ?? -1;
  const toggle = (id: string) => {
    const next = new Set(toggled);
    if (!next.delete(id)) next.add(id);
    setToggled(next);
  };
  const tick = (at: number) => onSelect(ticked(tree, table, selection, at, matches));
  const moveTo = (place: number) => {
    const to = Math.min(Math.max(place, 0), rows.nodes.length - 1);
    setActive(tree.ids[rows.nodes[to] ?? 0] ?? "");
    reveal(box.current, to);
  };
  const isOpen = (at: number) => toggled.has(tree.ids[at] ?? "") !== isOpenAtFirst;
  const onKeyDown = (event: KeyboardEvent) => {
    const act = keyAct(event.key, { tree, rows, active, node, page: window.page, isOpen, moveTo, toggle, tick });
    if (!act || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    act();
  };
  // One handler for all rows, so that a row needs no closures.
  const onClick = (event: MouseEvent) => {
    const target = event.target as HTMLElement;
    const hit = Number(target.closest<HTMLElement>("[data-node]")?.dataset["node"] ?? -1);
    if (hit < 0) return;
    setActive(tree.ids[hit] ?? "");
    const isFolder = (tree.files[hit] ?? -1) < 0;
    if (isFolder && !target.closest(".box")) toggle(tree.ids[hit] ?? "");
    else tick(hit);
  };
  const shown = Array.from(rows.nodes.subarray(window.first, window.last), (at, offset) => ({
    at,
    place: window.first + offset,
  }));
  return (
    <div
      id="file-tree"
      className="tree"
      role="tree"
      aria-label={text.context.tree}
      aria-multiselectable="true"
      aria-activedescendant={node >= 0 && active >= window.first && active < window.last ? `node-${node}` : undefined}
      tabIndex={0}
      ref={box}
      onKeyDown={onKeyDown}
      onClick={onClick}
    >
      <div role="presentation" className="tree-rows" style={{ height: rows.nodes.length * ROW_PX }}>
        {shown.map(({ at, place }) => (
          <Row
            key={tree.ids[at]}
            {...{ tree, table, sums, rows, git, budget, node: at, place }}
            isActive={place === active}
            isOpen={isOpen(at)}
          />
        ))}
      </div>
    </div>
  );
}

interface Keys {
  tree: Tree;
  rows: Rows;
  active: number;
  node: number;
  page: number;
  isOpen: (node: number) => boolean;
  moveTo: (place: number) => void;
  toggle: (id: string) => void;
  tick: (node: number) => void;
}

function keyAct(key: string, on: Keys): (() => void) | undefined {
  const { tree, rows, active, node, moveTo } = on;
  const isFolder = (tree.files[node] ?? 0) < 0;
  const id = tree.ids[node] ?? "";
  const parent = () => moveTo(rows.nodes.indexOf(tree.parents[node] ?? -1));
  const acts: Readonly<Record<string, () => void>> = {
    ArrowDown: () => moveTo(active + 1),
    ArrowUp: () => moveTo(active - 1),
    Home: () => moveTo(0),
    End: () => moveTo(rows.nodes.length - 1),
    PageDown: () => moveTo(active + on.page),
    PageUp: () => moveTo(active - on.page),
    " ": () => on.tick(node),
    Enter: () => (isFolder ? on.toggle(id) : on.tick(node)),
    ArrowRight: () => (isFolder && !on.isOpen(node) ? on.toggle(id) : moveTo(active + 1)),
    ArrowLeft: () => (isFolder && on.isOpen(node) ? on.toggle(id) : (tree.parents[node] ?? -1) >= 0 && parent()),
  };
  return acts[key];
}

function reveal(box: HTMLElement | null, place: number): void {
  if (!box) return;
  const top = place * ROW_PX;
  if (top < box.scrollTop) box.scrollTop = top;
  else if (top + ROW_PX > box.scrollTop + box.clientHeight) box.scrollTop = top + ROW_PX - box.clientHeight;
}

/** The rows in view and some around them. */
function useWindow(
  box: React.RefObject<HTMLDivElement | null>,
  count: number,
): { first: number; last: number; page: number } {
  const [view, setView] = useState({ top: 0, height: 600 });
  useLayoutEffect(() => {
    const element = box.current;
    if (!element) return;
    const look = () =>
      setView((was) =>
        was.top === element.scrollTop && was.height === element.clientHeight
          ? was
          : { top: element.scrollTop, height: element.clientHeight },
      );
    look();
    const observer = new ResizeObserver(look);
    observer.observe(element);
    element.addEventListener("scroll", look, { passive: true });
    return () => {
      observer.disconnect();
      element.removeEventListener("scroll", look);
    };
  }, [box]);
  const page = Math.max(1, Math.floor(view.height / ROW_PX) - 1);
  // There may be fewer rows than before, and the view has not moved yet.
  const first = Math.max(0, Math.min(Math.floor(view.top / ROW_PX), count - page) - OVERSCAN);
  return { first, last: Math.min(count, first + page + 2 * OVERSCAN + 2), page };
}

interface RowProps {
  tree: Tree;
  table: FileTable;
  sums: Sums;
  rows: Rows;
  git: Readonly<Record<string, string>> | null;
  budget: number | null;
  node: number;
  place: number;
  isActive: boolean;
  isOpen: boolean;
}

function Row({ tree, table, sums, rows, git, budget, node, place, isActive, isOpen }: RowProps) {
  const id = tree.ids[node] ?? "";
  const name = tree.names[node] ?? "";
  const isFolder = (tree.files[node] ?? -1) < 0;
  const excluded = table.excluded.get(id) ?? "";
  const isUsable = (sums.usable[node] ?? 0) > 0;
  const tick = tickOf(sums, node);
  const count = { tokens: sums.tokens[node] ?? 0, exact: (sums.guessed[node] ?? 0) === 0 };
  const share = budget ? count.tokens / budget : 0;
  const status = git?.[id] ?? "";
  const depth = tree.depths[node] ?? 0;
  return (
    <div
      id={`node-${node}`}
      data-node={node}
      role="treeitem"
      tabIndex={-1}
      className={`tree-row${isActive ? " is-active" : ""}`}
      style={{ top: place * ROW_PX, paddingLeft: 8 + depth * 16 }}
      aria-level={depth + 1}
      aria-posinset={rows.places[place]}
      aria-setsize={rows.siblings[(tree.parents[node] ?? -1) + 1]}
      aria-expanded={isFolder ? isOpen : undefined}
      aria-checked={tick === "some" ? "mixed" : tick === "all"}
      aria-disabled={!isUsable || undefined}
    >
      {isFolder ? (
        <span className={isOpen ? "tree-chevron is-open" : "tree-chevron"}>
          <Chevron />
        </span>
      ) : (
        <span className="tree-chevron" />
      )}
      <span className={`box is-${tick}${isUsable ? "" : " is-disabled"}`}>
        {tick === "some" ? <Dash /> : tick === "all" ? <Check /> : null}
      </span>
      <span className={excluded ? "name is-excluded" : "name"} title={id}>
        {name}
        {isFolder && "/"}
      </span>{" "}
      {status && (
        <span className={`git is-${status}`} title={text.context.gitStatus(status)}>
          <span aria-hidden="true">{status.slice(0, 1).toUpperCase()}</span>
          <span className="hidden">{text.context.gitStatus(status)} </span>
        </span>
      )}
      {excluded ? (
        <span className="cost" title={excluded}>
          <span className="hidden">{text.context.cannot} </span>
          {excluded.replace(/ \(.*/, "")}
        </span>
      ) : (
        isUsable && (
          <span
            className={share > 1 ? "cost is-over" : share > LARGE_SHARE ? "cost is-large" : "cost"}
            title={text.context.tokens(number(count.tokens), count.exact, share)}
          >
            {tokensShort(count)}
            <span className="hidden"> {text.context.unit}</span>
          </span>
        )
      )}
    </div>
  );
}
