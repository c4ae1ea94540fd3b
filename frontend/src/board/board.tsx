// The board: the progress of the responses while they run, then their ranking.

import type { BoardRow, FileChange, GenerationView, Judgement, SlotProgress } from "../api/generated";
import { Flag } from "../kit/flag";
import { StatusIcon } from "../kit/icons";
import { Lines } from "../kit/lines";
import { Rich } from "../kit/rich";
import { text } from "../messages";
import { useOffer } from "../state/offers";
import { get, use } from "../state/store";
import { go, goTo } from "../state/window";
import { useWindowState } from "../state/windowstate";
import { isActive } from "../text/words";
import { Behaviour } from "./behaviour";
import { StateIcon } from "./checkrun";
import { CheckTables } from "./checkview";
import { JudgeLine } from "./judge";
import { JudgedAs } from "./judging";
import { Matrix } from "./matrix";
import { Bar, Figures, SlotButtons } from "./progress";
import { foldedOf } from "./state/behaviour";
import { cannotStart, outcomeOf } from "./state/checkresults";
import { checksOf } from "./state/checks";
import { type Verdict, verdictOf } from "./state/verdict";

type View = "table" | "behaviour" | "checks" | "files" | "likeness";
const VIEWS: ReadonlyArray<View> = ["table", "behaviour", "checks", "files", "likeness"];

export function Board({ generation }: { generation: GenerationView }) {
  const board = use((state) => state.board);
  const [view, setView] = useWindowState<View>(`board view ${generation.id}`, "table");
  const [isHiding, hide] = useWindowState(`board hides ${generation.id}`, false);
  const [isFolding, fold] = useWindowState(`board folds ${generation.id}`, true);
  const isRunning = generation.slots.some(isActive);
  useOffer("showChecks", isRunning ? null : () => setView("checks"));
  const judgements = board?.judgements ?? [];
  const rejected = judgements.filter(({ mark }) => mark === "rejected").length;
  const marked = new Set(judgements.map(({ slot }) => slot));
  const folded = isRunning || !board ? NONE_FOLDED : foldedOf(board.rows, marked);
  const identical = [...folded.values()].reduce((sum, slots) => sum + slots.length, 0);
  const isCompared = board?.rows.some((row) => row.class !== "") ?? false;
  return (
    <div className="board-screen">
      {!isRunning && board && (
        <Advice
          verdict={verdictOf(board.rows, judgements)}
          responses={generation.slots.length}
          onProbes={isCompared && view !== "behaviour" ? () => setView("behaviour") : null}
        />
      )}
      {!isRunning && board && <JudgeLine key={generation.id} generation={generation.id} rows={board.rows} />}
      {!isRunning && (
        <div className="row">
          <div className="facets" role="group" aria-label={text.board.view}>
            {VIEWS.map((each) => (
              <button key={each} type="button" aria-pressed={view === each} onClick={() => setView(each)}>
                {text.board.views[each]}
              </button>
            ))}
          </div>
          <span className="row push">
            {identical > 0 && view === "table" && (
              <label className="row">
                <input type="checkbox" checked={isFolding} onChange={() => fold(!isFolding)} />
                {text.board.foldSame(identical)}
              </label>
            )}
            {rejected > 0 && (
              <label className="row">
                <input type="checkbox" checked={isHiding} onChange={() => hide(!isHiding)} />
                {text.board.hideRejected(rejected)}
              </label>
            )}
          </span>
        </div>
      )}
      {!isRunning && view === "table" && (
        <CannotStartLine generation={generation.id} onShow={() => setView("checks")} />
      )}
      {view === "table" || isRunning ? (
        <Table generation={generation} isHiding={isHiding} folded={isFolding ? folded : NONE_FOLDED} />
      ) : view === "behaviour" ? (
        <Behaviour generation={generation.id} rows={board?.rows ?? []} />
      ) : view === "checks" ? (
        <CheckTables rows={board?.rows ?? []} />
      ) : (
        <Matrix generation={generation.id} view={view} />
      )}
    </div>
  );
}

/** The table has no column for what could not run at all, so that no response seems to have failed it. */
function CannotStartLine({ generation, onShow }: { generation: number; onShow: () => void }) {
  const view = checksOf.use();
  if (view?.generation !== generation) return null;
  const found = view.failure
    ? view.failure.message
    : cannotStart(view)
        .map((problem) => problem.split(":")[0])
        .join(", ");
  if (!found) return null;
  return (
    <p className="row cannot-start-line">
      <span>{view.failure ? found : text.checks.someCannotStart(found)}</span>
      <button type="button" className="quiet small" onClick={onShow}>
        {text.checks.show}
      </button>
    </p>
  );
}

const NONE_FOLDED: ReadonlyMap<number, ReadonlyArray<number>> = new Map();

interface AdviceProps {
  verdict: Verdict | null;
  responses: number;
  onProbes: (() => void) | null;
}

/** The recommended response, and why. */
function Advice({ verdict, responses, onProbes }: AdviceProps) {
  if (!verdict) return <p className="advice-line is-none">{text.board.noVerdict}</p>;
  const { isGood } = verdict;
  return (
    <p className={isGood ? "advice-line is-good" : "advice-line"}>
      <button type="button" className={isGood ? "primary" : ""} onClick={() => goTo(verdict.slot)}>
        {text.board.recommended(verdict.slot)}
      </button>
      <span>
        <Rich text={text.board.why(verdict, responses)} />
      </span>
      {onProbes && (
        <button type="button" className="quiet small" onClick={onProbes}>
          {text.behaviour.show}
        </button>
      )}
    </p>
  );
}

interface TableProps {
  generation: GenerationView;
  isHiding: boolean;
  folded: ReadonlyMap<number, ReadonlyArray<number>>;
}

function Table({ generation, isHiding, folded }: TableProps) {
  const board = use((state) => state.board);
  const rows = new Map(board?.rows.map((row) => [row.slot, row]));
  const judged = new Map(board?.judgements.map((judgement) => [judgement.slot, judgement]));
  const isRunning = generation.slots.some(isActive);
  const [order, setOrder] = useWindowState<Order>("board order", "best");
  // While responses run, slots keep their order; then the best comes first and rejected ones last.
  const rank = (progress: SlotProgress) =>
    (judged.get(progress.slot)?.mark === "rejected" ? 1_000 : 0) + (rows.get(progress.slot)?.rank ?? progress.slot);
  const slots = generation.slots
    .filter((progress) => !isHiding || judged.get(progress.slot)?.mark !== "rejected")
    .toSorted((a, b) => ORDERS[order](a, b) || (isRunning ? a.slot - b.slot : rank(a) - rank(b)));
  const under = new Set([...folded.values()].flat());
  const isCompared = board?.rows.some((row) => row.class !== "") ?? false;
  const running = checksOf.use()?.progress?.running ?? [];
  const isChecked = running.length > 0 || (board?.rows.some((row) => row.checks !== null) ?? false);
  return (
    <div className="board-box">
      <table className={isRunning ? "board" : "board has-ended"}>
        <thead>
          <tr>
            <th scope="col">{text.board.response}</th>
            <th scope="col" className="row sort-head">
              {text.board.progress}
              <select
                aria-label={text.board.sortBy}
                value={order}
                onChange={(event) => setOrder(event.target.value as Order)}
              >
                {(Object.keys(ORDERS) as Order[]).map((each) => (
                  <option key={each} value={each}>
                    {text.board.orders[each]}
                  </option>
                ))}
              </select>
            </th>
            <th scope="col">{text.board.files}</th>
            {isChecked && <th scope="col">{text.board.checks}</th>}
            <th scope="col">
              <abbr title={isCompared ? text.board.classTitle : text.board.groupTitle}>
                {isCompared ? text.board.class : text.board.group}
              </abbr>
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
              judgement={judged.get(progress.slot)}
              generation={generation}
              isChecked={isChecked}
              isChecking={running.includes(progress.slot)}
              isFolded={under.has(progress.slot)}
              letter={(isCompared ? rows.get(progress.slot)?.class : rows.get(progress.slot)?.cluster) ?? ""}
              same={folded.get(progress.slot) ?? []}
            />
          ))}
        </tbody>
      </table>
    </div>
  );
}

type Order = "best" | "total" | "answer";
const ORDERS: Readonly<Record<Order, (a: SlotProgress, b: SlotProgress) => number>> = {
  best: () => 0,
  total: (a, b) => b.tokens.thinking + b.tokens.answer - a.tokens.thinking - a.tokens.answer,
  answer: (a, b) => b.tokens.answer - a.tokens.answer,
};

interface RowProps {
  progress: SlotProgress;
  row: BoardRow | undefined;
  judgement: Judgement | undefined;
  generation: GenerationView;
  isChecked: boolean;
  isChecking: boolean;
  isFolded: boolean;
  /** Of its class, or until classes are known, of the responses with identical files. */
  letter: string;
  /** The identical responses that are folded into this row. */
  same: ReadonlyArray<number>;
}

function Row({ progress, row, judgement, generation, isChecked, isChecking, isFolded, letter, same }: RowProps) {
  const isOld = row !== undefined && row.class !== "" && row.is_stale;
  return (
    <tr hidden={isFolded} className={`status-${progress.status} is-${judgement?.mark || "unmarked"}`}>
      <th scope="row">
        <button type="button" className="open" onClick={() => goTo(progress.slot)}>
          <span className="hidden">{text.board.open}</span>
          <StatusIcon status={progress.status} />
          <b>{progress.slot}</b> <span className="muted">{text.progress.status(progress.status)}</span>
        </button>
        {same.length > 0 && (
          <span className="muted same" title={text.board.sameTitle(same)}>
            {text.board.same(same)}
          </span>
        )}
        {row?.accepted && <span className="badge">{text.board.accepted}</span>}
        {judgement && <JudgedAs judgement={judgement} />}
      </th>
      <td className="progress-cell">
        <Bar progress={progress} generation={generation} />
        <Figures progress={progress} />
        {progress.error && (
          <span className="error-text">
            {progress.error.hop && <span className="hop">{progress.error.hop}</span>} {progress.error.message}
            {progress.error.hint && <span className="muted"> {progress.error.hint}</span>}
          </span>
        )}
      </td>
      <td className="files-cell">
        {row?.parse === "failed" && <span className="muted">{text.board.unreadable}</span>}
        {row && row.cluster !== "" && row.files.every((file) => file.change === "same") && (
          <span className="muted">{text.board.unchanged}</span>
        )}
        {row?.files
          .filter((file) => file.change !== "same")
          .map((file) => (
            <FileLine key={file.path} file={file} />
          ))}
        {row?.why && (
          <span className="why muted" title={row.why.replaceAll("`", "")}>
            <Rich text={row.why} />
          </span>
        )}
        {row?.prompt_read && <span className="error-text">{text.board.promptRead(row.prompt_read)}</span>}
        {row?.flags.map((flag) => (
          <Flag key={flag} flag={flag} />
        ))}
      </td>
      {isChecked && (
        <td className="checks-cell">
          {isChecking ? (
            <span className="muted">{text.checks.slotRuns}</span>
          ) : (
            row?.checks && <Checks checks={row.checks} slot={progress.slot} />
          )}
        </td>
      )}
      <td className="group-cell">
        {row && letter && (
          <span
            className={isOld ? `cluster c${letter} is-stale` : `cluster c${letter}`}
            title={isOld ? text.behaviour.staleClass : undefined}
          >
            {letter}
            {isOld && <span className="hidden"> {text.behaviour.staleClass}</span>}
          </span>
        )}
      </td>
      <td className="buttons-cell">
        <SlotButtons progress={progress} isSmall />
      </td>
    </tr>
  );
}

/** What the checks came to, and what is worth knowing about it; leads to the tests by name. */
export function Checks({ checks, slot }: { checks: NonNullable<BoardRow["checks"]>; slot: number }) {
  const { passed, failed, new_failures: fresh, stale } = checks;
  const outcome = outcomeOf(checks);
  const facts = [
    ...(fresh > 0 ? [text.board.fresh(fresh)] : []),
    ...(checks.fails_anyway ? [text.board.failsAnyway] : []),
    ...(checks.gained > 0 ? [text.board.gained(checks.gained)] : []),
    ...(checks.flaky.length > 0 ? [text.board.flaky(checks.flaky.length)] : []),
  ];
  return (
    <button
      type="button"
      className={`checks is-${outcome}${stale === "" ? "" : " is-stale"}`}
      title={text.board.openChecks(slot)}
      onClick={() => go({ ...get().place, slot, facet: "checks" })}
    >
      <StateIcon state={outcome} />
      <span>
        <b>{outcome === "pass" ? text.board.pass(passed) : text.board.fail(failed, passed)}</b>
        {facts.length > 0 && <span className="muted check-facts">{text.board.facts(facts)}</span>}
      </span>
      {stale !== "" && (
        <span className="flag" title={text.checks.staleWhy[stale]}>
          {text.board.stale}
        </span>
      )}
    </button>
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
