// The responses side by side: how far they are while they run, ranked by what is known of them afterwards.

import type { BoardRow, FileChange, GenerationView, SlotProgress } from "../api/generated";
import { goTo } from "../state/actions";
import { use } from "../state/store";
import { flagText, FLAGS, isActive } from "../text/words";
import { StatusIcon } from "./icons";
import { Bar, Figures, SlotButtons } from "./progress";

export function Board({ generation }: { generation: GenerationView }) {
  const board = use((state) => state.board);
  const rows = new Map(board?.rows.map((row) => [row.slot, row]));
  const isRunning = generation.slots.some(isActive);
  // While they run, slots stay where they are; then the best comes first.
  const rank = (progress: SlotProgress) => (isRunning ? progress.slot : (rows.get(progress.slot)?.rank ?? progress.slot));
  const slots = generation.slots.toSorted((a, b) => rank(a) - rank(b));
  const isChecked = board?.rows.some((row) => row.checks !== null) ?? false;
  return (
    <div className="board-box">
    <table className="board">
      <thead>
        <tr>
          <th scope="col">Response</th>
          <th scope="col">Progress</th>
          <th scope="col">Files</th>
          {isChecked && <th scope="col">Checks</th>}
          <th scope="col">
            <abbr title="Responses with the same letter lead to the same files">Group</abbr>
          </th>
          <th scope="col">
            <span className="hidden">Actions</span>
          </th>
        </tr>
      </thead>
      <tbody>
        {slots.map((progress) => (
          <Row
            key={progress.slot}
            progress={progress}
            row={isActive(progress) ? undefined : rows.get(progress.slot)}
            generation={generation}
            isChecked={isChecked}
          />
        ))}
      </tbody>
    </table>
    </div>
  );
}

interface RowProps {
  progress: SlotProgress;
  row: BoardRow | undefined;
  generation: GenerationView;
  isChecked: boolean;
}

function Row({ progress, row, generation, isChecked }: RowProps) {
  return (
    <tr className={`status-${progress.status}`}>
      <th scope="row">
        <button type="button" className="open" onClick={() => goTo(progress.slot)}>
          <span className="hidden">Open response </span>
          <StatusIcon status={progress.status} />
          <b>{progress.slot}</b>{" "}
          <span className="muted">{progress.status}</span>
        </button>
      </th>
      <td className="progress-cell">
        <Bar progress={progress} generation={generation} />
        <Figures progress={progress} />
        {progress.error && <span className="error-text">{progress.error.message}</span>}
      </td>
      <td className="files-cell">
        {row?.parse === "failed" && <span className="muted">not readable as files</span>}
        {row && row.cluster !== "" && row.files.every((file) => file.change === "same") && (
          <span className="muted">as in the workspace</span>
        )}
        {row?.files
          .filter((file) => file.change !== "same")
          .map((file) => (
            <FileLine key={file.path} file={file} />
          ))}
        {row?.flags.map((flag) => (
          <Flag key={flag} flag={flag} />
        ))}
      </td>
      {isChecked && <td className="checks-cell">{row?.checks && <Checks checks={row.checks} />}</td>}
      <td className="group-cell">{row?.cluster && <span className={`cluster c${row.cluster}`}>{row.cluster}</span>}</td>
      <td className="buttons-cell">
        <SlotButtons progress={progress} isSmall />
      </td>
    </tr>
  );
}

export function Checks({ checks }: { checks: NonNullable<BoardRow["checks"]> }) {
  const { passed, failed, new_failures: fresh } = checks;
  return (
    <span className={failed === 0 ? "checks is-passing" : "checks is-failing"}>
      {failed === 0 ? `${passed} pass` : `${failed} fail, ${passed} pass`}
      {fresh > 0 && <span className="muted"> ({fresh} new)</span>}
    </span>
  );
}

function FileLine({ file }: { file: FileChange }) {
  return (
    <span className="file-line">
      <span className="path" title={file.path}>
        {file.path}
      </span>
      <Lines change={file.change} added={file.added} removed={file.removed} />
    </span>
  );
}

export function Lines({ change, added, removed }: { change: string | null; added: number; removed: number }) {
  if (change === "same") return <span className="muted">as in the workspace</span>;
  return (
    <span className="lines">
      {change === "new" && <span className="badge">new</span>}
      {change === "deleted" && <span className="badge">deleted</span>}
      <span className="added">+{added}</span> <span className="removed">−{removed}</span>
    </span>
  );
}

export function Flag({ flag }: { flag: string }) {
  return (
    <span className="flag" title={FLAGS[flag]}>
      {flagText(flag)}
    </span>
  );
}
