// What is looked at without any check of the project's, and what a response does to the tests it is judged by.

import type { BoardRow, CheckReport } from "../api/generated";
import { Flag } from "../kit/flag";
import { text } from "../messages";

export function Exam({ row, report }: { row: BoardRow | undefined; report: CheckReport | null }) {
  const problems = row?.problems ?? [];
  const changes = row?.test_changes ?? [];
  const own = report?.own ?? null;
  if (problems.length === 0 && changes.length === 0 && own === null) return null;
  return (
    <section className="exam" aria-label={text.checks.exam}>
      {problems.length > 0 && (
        <ul className="exam-list">
          {problems.map(({ flag, path, line, text: words }) => (
            <li key={`${flag} ${path} ${line} ${words}`}>
              <Flag flag={flag} /> <span className="path">{line > 0 ? text.checks.place(path, line) : path}</span>{" "}
              {words}
            </li>
          ))}
        </ul>
      )}
      {changes.length > 0 && (
        <>
          <h3>{text.checks.testChanges}</h3>
          <ul className="exam-list">
            {changes.map(({ path, kind, why }) => (
              <li key={path} className={`is-${kind}`}>
                <span className="stage">{text.checks.changeKinds[kind]}</span> <span className="path">{path}</span>{" "}
                <span className="muted">{why}</span>
              </li>
            ))}
          </ul>
        </>
      )}
      {own && (
        <>
          <p className="muted">{text.checks.own(own)}</p>
          <Names title={text.checks.contradicted(own.contradicted.length)} names={own.contradicted} />
          <Names title={text.checks.ownGained(own.gained.length)} names={own.gained} />
          <Names title={text.checks.ownFailures(own.failures.length)} names={own.failures} />
        </>
      )}
    </section>
  );
}

function Names({ title, names }: { title: string; names: ReadonlyArray<string> }) {
  if (names.length === 0) return null;
  return (
    <details className="check-tests">
      <summary>{title}</summary>
      <ul>
        {names.map((name) => (
          <li key={name}>
            <code>{name}</code>
          </li>
        ))}
      </ul>
    </details>
  );
}
