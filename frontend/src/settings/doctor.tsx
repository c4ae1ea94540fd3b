// The doctor's tree: one line per hop as the results arrive, with a fix for the one that fails.

import type { HopView } from "../api/generated";
import { Check, Cross, Dash } from "../kit/icons";
import { text } from "../messages";
import { use } from "../state/store";

export function DoctorTree() {
  const examination = use((state) => state.examination);
  if (!examination) return null;
  const { lines, verdict } = examination;
  return (
    <div className="doctor">
      <ol aria-label={text.settings.tree}>
        {lines.map((line) => (
          <Line key={line.name} line={line} />
        ))}
      </ol>
      <p className="verdict" role="status">
        {verdict === null
          ? text.settings.examining
          : verdict.ok
            ? text.settings.allWell
            : text.settings.atFault(verdict.failing_hop ?? "", verdict.code ?? "")}
      </p>
    </div>
  );
}

function Line({ line }: { line: HopView }) {
  const kind = line.ok === null ? "untried" : line.ok ? (line.fix ? "warning" : "well") : "failed";
  return (
    <li className={`hop-line is-${kind}`}>
      {line.ok === null ? <Dash /> : line.ok ? <Check /> : <Cross />}
      <span className="hop-name">
        <span className="hidden">{text.settings.verdicts[kind]}</span> {line.hop} · {line.name}
      </span>
      <span className="hop-detail">
        {line.detail}
        {line.fix && <span className="fix">{text.settings.fix(line.fix)}</span>}
      </span>
    </li>
  );
}
