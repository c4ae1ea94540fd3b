// The responses side by side: how far they are while they run, ranked by what is known of them afterwards.

import type { BoardRow, FileChange, GenerationView, SlotProgress } from "../api/generated";
import { goTo } from "../state/actions";
import { use } from "../state/store";
import { isActive } from "../text/words";
import { text } from "../text/messages";
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
          <th scope="col">{text.board.response}</th>
          <th scope="col">{text.board.progress}</th>
          <th scope="col">{text.board.files}</th>
          {isChecked && <th scope="col">{text.board.checks}</th>}
          <th scope="col">
            <abbr title={text.board.groupTitle}>{text.board.group}</abbr>
          </th>
          <th scope="col">
            <span className="hidden">{text.board.actions}</span>
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
          <span className="hidden">{text.board.open}</span>
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
        {row?.parse === "failed" && <span className="muted">{text.board.unreadable}</span>}
        {row && row.cluster !== "" && row.files.every((file) => file.change === "same") && (
          <span className="muted">{text.board.asInWorkspace}</span>
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
      {failed === 0 ? text.board.pass(passed) : text.board.fail(failed, passed)}
      {fresh > 0 && <span className="muted">{text.board.fresh(fresh)}</span>}
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
  if (change === "same") return <span className="muted">{text.board.asInWorkspace}</span>;
  return (
    <span className="lines">
      {change === "new" && <span className="badge">{text.board.isNew}</span>}
      {change === "deleted" && <span className="badge">{text.board.isDeleted}</span>}
      <span className="added">+{added}</span> <span className="removed">−{removed}</span>
    </span>
  );
}

export function Flag({ flag }: { flag: string }) {
  return (
    <span className="flag" title={text.review.flags[flag]}>
      {text.review.flag(flag)}
    </span>
  );
}
