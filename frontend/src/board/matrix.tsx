// Where the responses agree: files by responses, or the similarity of each pair.

import { useEffect } from "react";
import type { Agreement, FileAgreement } from "../api/generated";
import { text } from "../messages";
import { use } from "../state/store";
import { goTo } from "../state/window";
import { agreementOf, loadAgreement } from "./state/judging";

export function Matrix({ generation, view }: { generation: number; view: "files" | "likeness" }) {
  const found = agreementOf.use();
  const board = use((state) => state.board);
  useEffect(() => {
    void loadAgreement(generation);
  }, [generation, board]);
  if (found?.generation !== generation) return <p className="empty">{text.shell.loading}</p>;
  const { value } = found;
  if (value.slots.length === 0) return <p className="empty">{text.board.noChanges}</p>;
  return (
    <div className="board-box" tabIndex={0}>
      {view === "files" ? <FilesTable value={value} /> : <LikenessTable value={value} />}
    </div>
  );
}

function Head({ value, corner }: { value: Agreement; corner: string }) {
  return (
    <thead>
      <tr>
        <th scope="col">{corner}</th>
        {value.slots.map((slot) => (
          <th key={slot} scope="col">
            <button
              type="button"
              className="quiet small"
              aria-label={text.board.openSlot(slot)}
              onClick={() => goTo(slot)}
            >
              {slot}
            </button>
          </th>
        ))}
      </tr>
    </thead>
  );
}

function FilesTable({ value }: { value: Agreement }) {
  return (
    <table className="matrix">
      <caption className="muted">{text.board.filesCaption}</caption>
      <Head value={value} corner={text.board.file} />
      <tbody>
        {value.files.map((file) => (
          <tr key={file.path}>
            <th scope="row">
              <span className="path" title={file.path}>
                {file.path}
              </span>
              <span className="muted"> {text.board.touchedBy(file.cells.length, groupsOf(file))}</span>
            </th>
            {value.slots.map((slot) => {
              const cell = file.cells.find((each) => each.slot === slot);
              return (
                <td key={slot}>
                  {cell && (
                    <span
                      className={`cluster c${cell.group}`}
                      title={text.board.cell(cell.change, cell.added, cell.removed)}
                    >
                      {cell.group}
                      <span className="hidden"> {text.board.cell(cell.change, cell.added, cell.removed)}</span>
                    </span>
                  )}
                </td>
              );
            })}
          </tr>
        ))}
      </tbody>
    </table>
  );
}

const groupsOf = (file: FileAgreement) => new Set(file.cells.map((cell) => cell.group)).size;

function LikenessTable({ value }: { value: Agreement }) {
  const percents = new Map(value.likeness.map((pair) => [`${pair.first} ${pair.second}`, pair.percent]));
  const percent = (one: number, two: number) => percents.get(`${Math.min(one, two)} ${Math.max(one, two)}`) ?? 100;
  return (
    <table className="matrix likeness">
      <caption className="muted">{text.board.likenessCaption}</caption>
      <Head value={value} corner={text.board.response} />
      <tbody>
        {value.slots.map((one) => (
          <tr key={one}>
            <th scope="row">{one}</th>
            {value.slots.map((two) => (
              <td
                key={two}
                style={{
                  background: `color-mix(in srgb, var(--accent) ${one === two ? 0 : percent(one, two) * 0.35}%, transparent)`,
                }}
              >
                {one === two ? "" : text.board.percent(percent(one, two))}
              </td>
            ))}
          </tr>
        ))}
      </tbody>
    </table>
  );
}
