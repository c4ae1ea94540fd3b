// Picks files, hunks and lines of a response. They go into the plan, next to picks from other responses.

import { useEffect, useState } from "react";
import { changedLines, type Picked, pickedOf, planOf, setPlan, withPicked } from "../accept";
import { acceptApi } from "../api/accept";
import { errorBody } from "../api/client";
import type { BlockView, ErrorBody, Hunk, HunkLine, HunksView } from "../api/generated";
import { ErrorLine } from "../kit/errorline";
import { Lines } from "../kit/lines";
import { text } from "../messages";
import { use } from "../state/store";

interface Props {
  generation: number;
  slot: number;
  files: ReadonlyArray<BlockView>;
}

export function Picker({ generation, slot, files }: Props) {
  const usable = files.filter((file) => file.change !== "same" && !file.flags.includes("outside_workspace"));
  if (usable.length === 0) return <p className="empty">{text.accept.nothingToPick}</p>;
  return (
    <div className="picker">
      <p className="muted">{text.accept.pickExplain}</p>
      {usable.map((file) => (
        <PickFile key={file.path} generation={generation} slot={slot} file={file} />
      ))}
    </div>
  );
}

function PickFile({ generation, slot, file }: { generation: number; slot: number; file: BlockView }) {
  const restorable = use((state) => state.workspace?.restorable?.id);
  const version = use((state) => state.shown?.live.version);
  const [view, setView] = useState<HunksView | null>(null);
  const [error, setError] = useState<ErrorBody | null>(null);
  const plan = planOf(generation).use();
  useEffect(() => {
    let isCurrent = true;
    acceptApi.hunks(generation, slot, file.path).then(
      (value) => isCurrent && setView(value),
      (reason) => isCurrent && setError(errorBody(reason)),
    );
    return () => {
      isCurrent = false;
    };
  }, [generation, slot, file.path, restorable, version]);
  const hunks = view?.hunks ?? [];
  const picked = pickedOf(plan, file.path, slot, hunks);
  const put = (next: Picked) => setPlan(generation, withPicked(plan, file.path, slot, next, hunks));
  return (
    <section className="pick-file" aria-label={file.path}>
      <label className="row pick-head">
        <Tick
          state={picked === "all" ? "all" : picked === "none" ? "none" : "some"}
          onChange={() => put(picked === "all" ? "none" : "all")}
        />
        <span className="path">{file.path}</span>
        <Lines change={file.change} added={file.added} removed={file.removed} />
      </label>
      {error && <ErrorLine error={error} />}
      {view?.problem && <p className="muted">{view.problem}</p>}
      {hunks.map((hunk) => (
        <PickHunk
          key={hunk.number}
          hunk={hunk}
          lines={linesOf(picked, hunk)}
          onChange={(lines) => put(withLines(picked, hunks, hunk, lines))}
        />
      ))}
    </section>
  );
}

const linesOf = (picked: Picked, hunk: Hunk): ReadonlySet<number> =>
  picked === "all"
    ? new Set(changedLines(hunk))
    : picked === "none"
      ? new Set()
      : (picked.get(hunk.number) ?? new Set());

function withLines(picked: Picked, hunks: ReadonlyArray<Hunk>, hunk: Hunk, lines: ReadonlySet<number>): Picked {
  return new Map(hunks.map((each) => [each.number, each === hunk ? lines : linesOf(picked, each)]));
}

interface HunkProps {
  hunk: Hunk;
  lines: ReadonlySet<number>;
  onChange: (lines: ReadonlySet<number>) => void;
}

function PickHunk({ hunk, lines, onChange }: HunkProps) {
  const all = changedLines(hunk);
  const state = lines.size === 0 ? "none" : lines.size < all.length ? "some" : "all";
  const toggle = (line: number) => {
    const next = new Set(lines);
    if (!next.delete(line)) next.add(line);
    onChange(next);
  };
  return (
    <fieldset className="pick-hunk">
      <legend>
        <label className="row">
          <Tick state={state} onChange={() => onChange(new Set(state === "all" ? [] : all))} />
          {text.accept.hunk(hunk.number, hunk.new_start, hunk.added, hunk.removed)}
        </label>
      </legend>
      <div className="pick-lines">
        {numbered(hunk).map(([id, line]) => (
          <PickLine key={id} line={line} isOn={lines.has(line.number)} onToggle={() => toggle(line.number)} />
        ))}
      </div>
    </fieldset>
  );
}

/** Lines keyed by their position, which never changes within a hunk. */
const numbered = (hunk: Hunk): [number, HunkLine][] => [...hunk.lines.entries()];

function PickLine({ line, isOn, onToggle }: { line: HunkLine; isOn: boolean; onToggle: () => void }) {
  const words = line.text.replace(/\r?\n$/, "");
  if (line.number === 0) {
    return (
      <div className="pick-line">
        <span />
        <code> {words}</code>
      </div>
    );
  }
  const kind = line.sign === "+" ? "is-added" : "is-removed";
  return (
    <label className={`pick-line ${kind}${isOn ? " is-on" : ""}`}>
      <input type="checkbox" checked={isOn} onChange={onToggle} aria-label={text.accept.line(line.sign, words)} />
      <code>
        {line.sign}
        {words}
      </code>
    </label>
  );
}

function Tick({ state, onChange }: { state: "none" | "some" | "all"; onChange: () => void }) {
  return (
    <input
      type="checkbox"
      ref={(element) => {
        if (element) element.indeterminate = state === "some";
      }}
      checked={state === "all"}
      onChange={onChange}
    />
  );
}
