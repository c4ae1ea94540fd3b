// One report of the checks, check by check: what it came to, the tests by name, the limits it hit, the end of its output.

import { useState } from "react";
import type { CheckReport, CheckRun } from "../api/generated";
import { Check, Cross, Dash, Icon } from "../kit/icons";
import { text } from "../messages";
import { plainText } from "../text/terminal";
import { seconds } from "../text/words";
import { type RunState, stateOf, type TestGroup, tellsNothing, testsOf } from "./state/checkresults";

const MAX_NAMES = 12;

/** The mark of a state: shape and colour say the same. */
export function StateIcon({ state }: { state: RunState }) {
  const className = `check-icon is-${state}`;
  return <span className={className}>{MARKS[state]}</span>;
}

const Clock = () => (
  <Icon>
    <path d="M8 4.5V8l2.5 1.5M8 2.5a5.5 5.5 0 1 1 0 11a5.5 5.5 0 0 1 0-11" />
  </Icon>
);

const MARKS: Readonly<Record<RunState, React.ReactNode>> = {
  pass: <Check />,
  anyway: <Cross />,
  fail: <Cross />,
  limit: <Clock />,
  not_run: <Dash />,
  cannot_start: <Dash />,
};

/** `isBase`: of the workspace without any response, where what fails is nobody's fault. */
export function Report({ report, isBase = false }: { report: CheckReport; isBase?: boolean }) {
  return (
    <div className="check-report">
      {report.problem && <p className="banner">{text.checks.noVerdict(report.problem)}</p>}
      <ul className="check-runs">
        {report.runs.map((run) => (
          <li key={run.name}>
            <Run run={run} isBase={isBase} />
          </li>
        ))}
        {report.cannot_start.map((problem) => (
          <li key={problem} className="check-run">
            <span className="check-head muted">
              <StateIcon state="cannot_start" />
              {text.checks.cannotStartHere(problem)}
            </span>
          </li>
        ))}
      </ul>
      <Lane report={report} />
    </div>
  );
}

/** What cannot run here at all: said once for all responses, and none of them is blamed. */
export function CannotStart({ problems }: { problems: ReadonlyArray<string> }) {
  if (problems.length === 0) return null;
  return (
    <div className="banner check-missing">
      <span>
        <b>{text.checks.cannotStart}</b>
        {problems.map((problem) => (
          <code key={problem}>{problem}</code>
        ))}
      </span>
      <span className="muted">{text.checks.cannotStartHint}</span>
    </div>
  );
}

export function Lane({ report }: { report: Pick<CheckReport, "lane" | "lane_why" | "on" | "node"> }) {
  if (report.lane === null) return null;
  if (report.on) return <p className="muted lane-line">{text.checks.onCluster(report.on, report.node ?? "")}</p>;
  if (report.lane === "overlay") return <p className="muted lane-line">{text.checks.overlay}</p>;
  return <p className="lane-line is-copy">{text.checks.copy(report.lane_why)}</p>;
}

function Run({ run, isBase }: { run: CheckRun; isBase: boolean }) {
  const state = stateOf(run);
  const shown = isBase && state === "anyway" ? "fail" : state;
  const groups = testsOf(run, isBase);
  const counts = text.checks.counts(run);
  const hasRun = run.state === "ran" || run.state === "killed";
  return (
    <section className={`check-run is-${shown}`} aria-label={run.name}>
      <div className="check-head">
        <StateIcon state={shown} />
        <b>{run.name}</b>
        <span className="hidden">{text.checks.states[shown]}</span>
        <span className="stage" title={text.checks.stageTitle}>
          {text.checks.stage[run.stage]}
        </span>
        {counts && <span className="check-counts">{counts}</span>}
        {state === "anyway" && !isBase && (
          <span className="muted">{tellsNothing(run) ? text.checks.tellsNothing : text.checks.failsAnyway}</span>
        )}
        {run.limits.map((limit) => (
          <span key={limit} className="flag">
            {text.checks.limits[limit]}
          </span>
        ))}
        {hasRun && (
          <span className="muted push check-time">
            {run.runner && <span>{run.runner}</span>}
            <span>{seconds(run.duration_s)}</span>
          </span>
        )}
      </div>
      {run.note && hasRun && <p className="muted">{run.note}</p>}
      {groups.map((group) => (
        <Tests key={group.kind} group={group} isBase={isBase} />
      ))}
      {run.not_run > 0 && <p className="muted">{text.checks.notReached(run.not_run)}</p>}
      {hasRun && <Output run={run} isOpen={!run.ok && (isBase || state !== "anyway")} />}
    </section>
  );
}

function Tests({ group, isBase }: { group: TestGroup; isBase: boolean }) {
  const [isWhole, showWhole] = useState(false);
  const { kind, names, more } = group;
  const title = (isBase ? text.checks.kindsOfBase : text.checks.kinds)[kind];
  const shown = isWhole ? names : names.slice(0, MAX_NAMES);
  return (
    <details className={`check-tests is-${kind}`} open={kind === "new" || kind === "missing" || isBase}>
      <summary>{text.checks.kindCount(title, names.length + more)}</summary>
      <ul>
        {shown.map((name) => (
          <li key={name}>
            <code>{name}</code>
          </li>
        ))}
        {more > 0 && <li className="muted">{text.checks.more(more)}</li>}
      </ul>
      {shown.length < names.length && (
        <button type="button" className="quiet small" onClick={() => showWhole(true)}>
          {text.checks.showAll(names.length)}
        </button>
      )}
    </details>
  );
}

function Output({ run, isOpen }: { run: CheckRun; isOpen: boolean }) {
  const [isTall, setTall] = useState(false);
  const output = plainText(run.output).trimEnd();
  if (output.trim() === "") return run.ok ? null : <p className="muted">{text.checks.noOutput}</p>;
  return (
    <details className="check-output" open={isOpen}>
      <summary>{text.checks.outputEnd}</summary>
      {/* Scrolls, so it can be reached from the keyboard. */}
      <pre
        className={isTall ? "file-text is-tall" : "file-text"}
        tabIndex={0}
        role="region"
        aria-label={`${text.checks.output}: ${run.name}`}
        ref={toEnd}
      >
        {output}
      </pre>
      {output.split("\n").length > FOLDED_LINES && (
        <button type="button" className="quiet small" aria-expanded={isTall} onClick={() => setTall(!isTall)}>
          {isTall ? text.checks.collapse : text.checks.expand}
        </button>
      )}
    </details>
  );
}

/** How many lines the folded output shows, as in the style. */
const FOLDED_LINES = 14;

/** Runners say at the end what failed. */
const toEnd = (box: HTMLPreElement | null) => {
  if (box) box.scrollTop = box.scrollHeight;
};
