// The comparison of behaviour: one sentence, then the probes on which responses differ, by responses grouped in classes.

import { useEffect } from "react";
import type { BoardRow, MatrixRow } from "../api/generated";
import { Check } from "../kit/icons";
import { Rich } from "../kit/rich";
import { text } from "../messages";
import { use } from "../state/store";
import { goTo } from "../state/window";
import { behaviourOf, type ClassColumns, columnsOf, compareBehaviour, loadBehaviour, spansOf } from "./state/behaviour";

export function Behaviour({ generation, rows }: { generation: number; rows: ReadonlyArray<BoardRow> }) {
  const view = behaviourOf.use();
  const board = use((state) => state.board);
  const isBusy = use((state) => state.busy.has("checks") || state.board?.is_checking === true);
  useEffect(() => {
    void loadBehaviour(generation);
  }, [generation, board]);
  if (view?.generation !== generation) return <p className="empty">{text.shell.loading}</p>;
  const { report, why_stale: why } = view;
  const again = (label: string) =>
    isBusy ? (
      <span className="muted">{text.behaviour.running}</span>
    ) : (
      <button type="button" className="small" onClick={() => compareBehaviour()}>
        {label}
      </button>
    );
  if (report === null) {
    return (
      <div className="check-panel">
        <p>
          {text.behaviour.none} <span className="muted">{text.behaviour.noneNote}</span>
        </p>
        <div className="row">{again(text.behaviour.compare)}</div>
      </div>
    );
  }
  const classes = columnsOf(report, rows);
  return (
    <div className={why ? "check-panel is-stale" : "check-panel"}>
      {why && (
        <div className="banner">
          {text.behaviour.stale(why)}
          <span className="push">{again(text.behaviour.again)}</span>
        </div>
      )}
      <p className="sentence">
        <Rich text={report.sentence} />
      </p>
      {report.matrix.length > 0 && <Probes matrix={report.matrix} classes={classes} rows={rows} />}
      {report.deciding > 0 && (
        <p className="muted">{text.behaviour.counts(report.probes, report.deciding, report.matrix.length)}</p>
      )}
      {report.left_out.map(({ slot, why: reason }) => (
        <p key={slot} className="muted">
          {text.behaviour.leftOut(slot, reason)}
        </p>
      ))}
    </div>
  );
}

interface ProbesProps {
  matrix: ReadonlyArray<MatrixRow>;
  classes: ReadonlyArray<ClassColumns>;
  rows: ReadonlyArray<BoardRow>;
}

function Probes({ matrix, classes, rows }: ProbesProps) {
  const bySlot = new Map(rows.map((row) => [row.slot, row]));
  const hasBase = matrix.some(({ base }) => base !== "");
  return (
    <div className="board-box" tabIndex={0}>
      <table className="matrix probe-matrix">
        <caption className="hidden">{text.behaviour.caption}</caption>
        <thead>
          <tr>
            <th scope="col" rowSpan={2}>
              {text.behaviour.probe}
            </th>
            {classes.map(({ letter, columns }) => (
              <th key={letter} scope="colgroup" colSpan={columns.length} className="class-head">
                <abbr className={`cluster c${letter}`} title={text.behaviour.classTitle}>
                  {letter}
                </abbr>
              </th>
            ))}
            {hasBase && (
              <th scope="col" rowSpan={2} className="class-start">
                <abbr title={text.behaviour.baseTitle}>{text.behaviour.base}</abbr>
              </th>
            )}
          </tr>
          <tr>
            {classes.flatMap(({ columns }) =>
              columns.map(({ slot, same }, index) => (
                <th key={slot} scope="col" className={index === 0 ? "class-start" : ""}>
                  <button
                    type="button"
                    className="quiet small"
                    aria-label={text.board.openSlot(slot)}
                    onClick={() => goTo(slot)}
                  >
                    {slot}
                    {bySlot.get(slot)?.accepted && <Check />}
                  </button>
                  {same.length > 0 && (
                    <span className="muted same" title={text.behaviour.sameTitle(same)}>
                      {text.behaviour.same(same)}
                    </span>
                  )}
                  {bySlot.get(slot)?.accepted && <span className="hidden">{text.behaviour.accepted}</span>}
                  {(bySlot.get(slot)?.checks?.flaky.length ?? 0) > 0 && (
                    <span className="flaky-mark" title={text.behaviour.flaky}>
                      <span aria-hidden="true">{text.checks.marks.flaky}</span>
                      <span className="hidden">{text.behaviour.flaky}</span>
                    </span>
                  )}
                </th>
              )),
            )}
          </tr>
        </thead>
        <tbody>
          {matrix.map((row) => (
            <Probe key={`${row.probe}\n${row.origin}`} row={row} classes={classes} hasBase={hasBase} />
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Probe({ row, classes, hasBase }: { row: MatrixRow; classes: ReadonlyArray<ClassColumns>; hasBase: boolean }) {
  const starts = new Set(classes.map(({ columns }) => columns[0]?.slot));
  return (
    <tr>
      <th scope="row" title={row.origin && text.behaviour.fromOrigin(row.origin)}>
        <code>{row.probe}</code>
      </th>
      {spansOf(row, classes).map(({ group, shows, slots }) => (
        <td
          key={slots[0]}
          colSpan={slots.length}
          className={`probe-cell g${group || "none"}${starts.has(slots[0]) ? " class-start" : ""}`}
          title={shows}
        >
          {group === "" ? (
            <span className="muted">{text.behaviour.silent}</span>
          ) : (
            <>
              <span className="hidden">{text.behaviour.cell(group, slots)}</span>
              <span className="group-mark" aria-hidden="true">
                {group}
              </span>
              <code>{shows}</code>
            </>
          )}
        </td>
      ))}
      {hasBase && (
        <td className="muted class-start">
          <code title={row.base}>{row.base}</code>
        </td>
      )}
    </tr>
  );
}

/** What one response shows on the probes that tell responses apart. */
export function OwnEvidence({ row }: { row: BoardRow | undefined }) {
  const evidence = row?.evidence ?? [];
  if (evidence.length === 0) return null;
  return (
    <section className="exam" aria-labelledby="own-evidence">
      <h3 id="own-evidence">{text.behaviour.own}</h3>
      <div className="board-box" tabIndex={0}>
        <table className="matrix probe-matrix">
          <thead>
            <tr>
              <th scope="col">{text.behaviour.probe}</th>
              <th scope="col">{text.behaviour.ownShows}</th>
              <th scope="col">{text.behaviour.mostShow}</th>
              <th scope="col">
                <abbr title={text.behaviour.baseTitle}>{text.behaviour.base}</abbr>
              </th>
            </tr>
          </thead>
          <tbody>
            {evidence.map(({ probe, shows, most_show: most, base, alike, of }) => (
              <tr key={probe}>
                <th scope="row">
                  <code title={probe}>{probe}</code>
                </th>
                <td className={shows === most ? "" : "probe-cell is-apart"}>
                  <code title={shows}>{shows}</code>{" "}
                  <span className="muted same">{text.behaviour.alike(alike, of)}</span>
                </td>
                <td>
                  <code title={most}>{most}</code>
                </td>
                <td className="muted">
                  <code title={base}>{base}</code>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}
