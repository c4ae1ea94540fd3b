// The possible secrets in a prompt, one by one, with what can be done about each.

import { useEffect, useState } from "react";
import { api, errorBody } from "../api/client";
import { contextApi } from "../api/context";
import type { ErrorBody, Finding, FindingDecision, FindingsView } from "../api/generated";
import { ErrorLine } from "../kit/errorline";
import { text } from "../messages";
import { attempt } from "../state/attempt";
import { use } from "../state/store";
import { loadWorkspace } from "../state/window";

/** The rule that matches file names: such a finding has no value that a placeholder could replace. */
const BY_NAME = "secret-file";

export function Findings({ cycle, onResolved }: { cycle: number; onResolved: () => void }) {
  const [view, setView] = useState<FindingsView | null>(null);
  const [error, setError] = useState<ErrorBody | null>(null);
  const isBusy = use((state) => state.busy.has("finding"));
  useEffect(() => {
    contextApi.findings(cycle).then(setView, (reason) => setError(errorBody(reason)));
  }, [cycle]);
  const decide = (request: () => Promise<FindingsView>) =>
    attempt("finding", async () => {
      setView(await request());
      onResolved();
      await loadWorkspace();
    });
  const resolve = (decision: FindingDecision) => decide(() => contextApi.resolve(cycle, decision));
  // The allow-list is the workspace's, not this prompt's: a request of its own.
  const allow = (finding: Finding) =>
    decide(async () => {
      await api.allow({ entries: [finding.fingerprint], reason: text.cycle.gateReason });
      return contextApi.findings(cycle);
    });
  if (error) return <ErrorLine error={error} />;
  if (!view) return <p className="empty">{text.shell.loading}</p>;
  return (
    <div className="findings">
      {view.findings.length === 0 ? (
        <p>{text.context.noFindings}</p>
      ) : (
        <p className={view.is_local ? "muted" : "banner"}>
          {view.is_local ? text.context.localHost(view.host) : text.context.remoteHost(view.host)}
        </p>
      )}
      <ul>
        {view.findings.map((finding) => (
          <Item key={`${finding.path} ${finding.line} ${finding.column} ${finding.rule}`} finding={finding}>
            {acts(finding).map((act) => (
              <button
                key={act}
                type="button"
                className="small"
                disabled={isBusy}
                onClick={() =>
                  act === "allow"
                    ? allow(finding)
                    : resolve({ act, fingerprint: finding.fingerprint, path: finding.path })
                }
              >
                {text.context.findingActs[act]}
              </button>
            ))}
          </Item>
        ))}
      </ul>
      {view.hidden.length > 0 && (
        <>
          <h3>{text.context.hiddenTitle}</h3>
          <p className="muted">{text.context.hiddenNote}</p>
          <ul>
            {view.hidden.map((finding) => (
              <Item key={finding.fingerprint} finding={finding}>
                <button
                  type="button"
                  className="small"
                  disabled={isBusy}
                  onClick={() => resolve({ act: "show", fingerprint: finding.fingerprint })}
                >
                  {text.context.showAgain}
                </button>
              </Item>
            ))}
          </ul>
        </>
      )}
    </div>
  );
}

type Act = "allow" | "placeholder" | "exclude";

/** The texts of a cycle, named in brackets, cannot be excluded. */
function acts(finding: Finding): ReadonlyArray<Act> {
  const all: ReadonlyArray<Act> = ["allow", "placeholder", "exclude"];
  return all.filter(
    (act) =>
      !(act === "placeholder" && finding.rule === BY_NAME) && !(act === "exclude" && finding.path.startsWith("[")),
  );
}

function Item({ finding, children }: { finding: Finding; children: React.ReactNode }) {
  return (
    <li className="finding">
      <span className="path">{text.context.at(finding.path, finding.line)}</span>
      <span className="flag">{finding.rule}</span>
      <code>{finding.masked}</code>
      <span className="row push">{children}</span>
    </li>
  );
}
