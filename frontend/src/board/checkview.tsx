// The checks of one response, and of a generation side by side.

import { useEffect, useState } from "react";
import type { BoardRow, CheckReport, ChecksView, SlotProgress } from "../api/generated";
import { ErrorLine } from "../kit/errorline";
import { text } from "../messages";
import { get, use } from "../state/store";
import { go } from "../state/window";
import { isActive } from "../text/words";
import { OwnEvidence } from "./behaviour";
import { CannotStart, Lane, Report, StateIcon } from "./checkrun";
import { Exam } from "./exam";
import {
  cannotStart,
  problemsOf,
  type RunState,
  staleOf,
  stateOf,
  type TestRow,
  testRowsOf,
} from "./state/checkresults";
import { checksOf, loadResponseChecks, responseChecksOf, runChecks, runChecksOn, watchChecks } from "./state/checks";

const MAX_ROWS = 40;

/** One response. */
export function ResponseChecksPanel({
  generation,
  progress,
  row,
}: {
  generation: number;
  progress: SlotProgress;
  row: BoardRow | undefined;
}) {
  const found = responseChecksOf.use();
  const view = checksOf.use();
  const isChecking = use((state) => state.busy.has("checks") || state.board?.is_checking === true);
  const { slot, version } = progress;
  useEffect(watchChecks, [generation]);
  useEffect(() => {
    void loadResponseChecks(generation, slot);
  }, [generation, slot, version, view]);
  if (found?.generation !== generation || found.value.slot !== slot)
    return <p className="empty">{text.shell.loading}</p>;
  const { report, stale } = found.value;
  const again = (isFresh: boolean) => (
    <button
      type="button"
      className="small push"
      title={isFresh ? text.checks.againTitle : undefined}
      onClick={() => runChecksOn(slot, isFresh)}
    >
      {text.checks.again}
    </button>
  );
  const isRunning = view?.progress?.running.includes(slot) ?? false;
  return (
    <div className="check-panel">
      {isRunning && <p className="muted">{text.checks.slotRuns}</p>}
      {stale !== "" && (
        <div className="banner">
          {text.checks.staleOne(stale)}
          {!isChecking && again(false)}
        </div>
      )}
      {report === null ? (
        <NothingYet
          view={view}
          progress={progress}
          hasFiles={row !== undefined && row.cluster !== ""}
          isChecking={isChecking}
        />
      ) : (
        <div className={stale === "" ? "" : "is-stale"}>
          <Report report={report} />
        </div>
      )}
      <Exam row={row} report={report} />
      <OwnEvidence row={row} />
      {report !== null && stale === "" && !isChecking && <div className="row">{again(true)}</div>}
    </div>
  );
}

interface NothingYetProps {
  view: ChecksView | null;
  progress: SlotProgress;
  hasFiles: boolean;
  isChecking: boolean;
}

function NothingYet({ view, progress, hasFiles, isChecking }: NothingYetProps) {
  const hasChecks = use((state) => (state.workspace?.checks.length ?? 0) > 0);
  if (view?.failure) return <ErrorLine error={view.failure} />;
  const { noneThere, noneActive, noneFor, noneYetOne } = text.checks;
  const message = !hasChecks ? noneThere : isActive(progress) ? noneActive : hasFiles ? noneYetOne : noneFor;
  return (
    <div className="row">
      <p className="empty">{message}</p>
      {message === noneYetOne && !isChecking && (
        <button type="button" className="small" onClick={() => runChecksOn(progress.slot, false)}>
          {text.checks.check}
        </button>
      )}
    </div>
  );
}

/** All responses of a generation: checks by responses, then the tests that end differently. */
export function CheckTables({ rows }: { rows: ReadonlyArray<BoardRow> }) {
  const view = checksOf.use();
  const isChecking = use((state) => state.busy.has("checks") || state.board?.is_checking === true);
  const hasChecks = use((state) => (state.workspace?.checks.length ?? 0) > 0);
  const generation = use((state) => state.place.generation);
  useEffect(watchChecks, [generation]);
  if (view === null || view.generation !== generation) return <p className="empty">{text.shell.loading}</p>;
  const checked = view.responses.filter(({ report }) => report !== null);
  const stale = staleOf(view);
  const first = checked[0]?.report;
  const order = new Map(rows.map((row) => [row.slot, row.rank]));
  const ranked = {
    ...view,
    responses: checked.toSorted((a, b) => (order.get(a.slot) ?? a.slot) - (order.get(b.slot) ?? b.slot)),
  };
  return (
    <div className="check-panel">
      {view.failure && <ErrorLine error={view.failure} />}
      <CannotStart problems={cannotStart(view)} />
      {[...problemsOf(view)].map(([problem, slots]) => (
        <p key={problem} className="banner">
          {text.checks.noVerdictOn(slots, problem)}
        </p>
      ))}
      {[...stale].map(([why, slots]) => (
        <div key={why} className="banner">
          {text.checks.staleSlots(why, slots, checked.length)}
          {!isChecking && (
            <button type="button" className="small push" onClick={() => runChecks()}>
              {text.checks.again}
            </button>
          )}
        </div>
      ))}
      {first ? (
        <>
          <ByCheck view={ranked} />
          <ByTest view={ranked} />
          <Lane report={first} />
          {stale.size === 0 && !isChecking && (
            <div className="row">
              <button
                type="button"
                className="small push"
                title={text.checks.againTitle}
                onClick={() => runChecks(true)}
              >
                {text.checks.againAll}
              </button>
            </div>
          )}
        </>
      ) : (
        !view.failure && <p className="empty">{hasChecks ? text.checks.noneYet : text.checks.noneThere}</p>
      )}
    </div>
  );
}

const open = (slot: number) => go({ ...get().place, slot, facet: "checks" });

function Head({ view, corner, hasBase }: { view: ChecksView; corner: string; hasBase: boolean }) {
  return (
    <thead>
      <tr>
        <th scope="col">{corner}</th>
        {hasBase && (
          <th scope="col">
            <abbr title={text.checks.baseTitle}>{text.checks.base}</abbr>
          </th>
        )}
        {view.responses.map(({ slot, stale }) => (
          <th key={slot} scope="col" className={stale === "" ? "" : "is-stale"}>
            <button
              type="button"
              className="quiet small"
              aria-label={text.board.openSlot(slot)}
              onClick={() => open(slot)}
            >
              {slot}
            </button>
          </th>
        ))}
      </tr>
    </thead>
  );
}

function ByCheck({ view }: { view: ChecksView }) {
  const names = [...new Set(view.responses.flatMap(({ report }) => report?.runs.map(({ name }) => name) ?? []))];
  const { base } = view;
  return (
    <div className="board-box" tabIndex={0}>
      <table className="matrix check-matrix">
        <caption className="hidden">{text.checks.byCheck}</caption>
        <Head view={view} corner={text.checks.checkColumn} hasBase={base !== null} />
        <tbody>
          {names.map((name) => (
            <tr key={name}>
              <th scope="row">{name}</th>
              {base && <Cell report={base} name={name} label={text.checks.baseCell} isBase />}
              {view.responses.map(({ slot, report, stale }) => (
                <Cell
                  key={slot}
                  report={report}
                  name={name}
                  isStale={stale !== ""}
                  label={(state, counts) => text.checks.cellOf(slot, state, counts)}
                />
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

interface CellProps {
  report: CheckReport | null;
  name: string;
  label: (state: string, counts: string) => string;
  isBase?: boolean;
  isStale?: boolean;
}

function Cell({ report, name, label, isBase = false, isStale = false }: CellProps) {
  const run = report?.runs.find((each) => each.name === name);
  if (!run) return <td>{text.checks.absent}</td>;
  const found = stateOf(run);
  const state: RunState = isBase && found === "anyway" ? "fail" : found;
  const said = label(text.checks.states[state], text.checks.counts(run));
  const count = run.new_failures > 0 && !isBase ? run.new_failures : run.ok ? run.passed : run.failed;
  return (
    <td className={isStale ? "is-stale" : ""} title={said}>
      <span className={`check-cell is-${state}`}>
        <StateIcon state={state} />
        {run.runner !== "" && run.state === "ran" && <span aria-hidden="true">{count}</span>}
        <span className="hidden">{said}</span>
      </span>
    </td>
  );
}

const KINDS = ["new", "missing", "gained", "flaky", "anyway", "pass"] as const;

/** What the marks mean, only those that are there. */
function Legend({ rows }: { rows: ReadonlyArray<TestRow> }) {
  const seen = new Set(rows.flatMap(({ cells }) => [...cells.values()]));
  return (
    <span className="legend muted">
      {KINDS.filter((kind) => seen.has(kind)).map((kind) => (
        <span key={kind}>
          <span className={`test-cell is-${kind}`}>{text.checks.marks[kind]}</span> {text.checks.cells[kind]}
        </span>
      ))}
    </span>
  );
}

function ByTest({ view }: { view: ChecksView }) {
  const [isWhole, showWhole] = useState(false);
  const { rows, anyway } = testRowsOf(view);
  const shown = isWhole ? rows : rows.slice(0, MAX_ROWS);
  return (
    <>
      {rows.length > 0 && (
        <div className="board-box" tabIndex={0}>
          <table className="matrix test-matrix">
            <caption>
              <b>{text.checks.byTest}</b>
              <Legend rows={rows} />
            </caption>
            <Head view={view} corner={text.checks.test} hasBase={false} />
            <tbody>
              {shown.map((row) => (
                <TestLine key={`${row.check}\n${row.name}`} row={row} />
              ))}
            </tbody>
          </table>
        </div>
      )}
      {shown.length < rows.length && (
        <button type="button" className="quiet small" onClick={() => showWhole(true)}>
          {text.checks.moreRows(rows.length - shown.length)}
        </button>
      )}
      {anyway.length > 0 && (
        <details className="check-tests is-anyway">
          <summary>{text.checks.failsForAll(anyway.length)}</summary>
          <ul>
            {anyway.map((name) => (
              <li key={name}>
                <code>{name}</code>
              </li>
            ))}
          </ul>
        </details>
      )}
    </>
  );
}

function TestLine({ row }: { row: TestRow }) {
  return (
    <tr>
      <th scope="row">
        <code title={row.name}>{row.name}</code>
      </th>
      {[...row.cells].map(([slot, kind]) => (
        <td key={slot} title={text.checks.cells[kind]}>
          <span className={`test-cell is-${kind || "unknown"}`} aria-hidden="true">
            {text.checks.marks[kind]}
          </span>
          <span className="hidden">{text.checks.cells[kind]}</span>
        </td>
      ))}
    </tr>
  );
}
