// The question before the first prompt is sent to a host, or while it holds possible secrets: what would be sent where.

import { useEffect, useState } from "react";
import { api, errorBody } from "../api/client";
import type { ErrorBody, Finding, HostView, SendingView } from "../api/generated";
import { select } from "../context";
import { Dialog } from "../kit/dialog";
import { ErrorLine } from "../kit/errorline";
import { text } from "../messages";
import { HostNotice } from "../settings";
import { attempt } from "../state/attempt";
import { get, use } from "../state/store";
import { number } from "../text/words";
import { closeGate, generate } from "./state/actions";

const MAX_SHOWN_FILES = 12;

export function SendingGate() {
  const gate = use((state) => state.gate);
  return (
    <Dialog title={text.cycle.gateTitle} isOpen={gate !== null} onClose={closeGate} isWide>
      {gate && <Question cycle={gate.cycle} n={gate.n} />}
    </Dialog>
  );
}

function Question({ cycle, n }: { cycle: number; n: number }) {
  const selection = use((state) => state.workspace?.selection);
  const isBusy = use((state) => state.busy.has("gate") || state.busy.has("generate"));
  const [view, setView] = useState<SendingView | null>(null);
  const [host, setHost] = useState<HostView | null>(null);
  const [error, setError] = useState<ErrorBody | null>(null);
  const [turn, again] = useState(0);
  useEffect(() => {
    let isCurrent = true;
    Promise.all([api.sending(cycle), api.host(cycle)]).then(
      ([sending, where]) => {
        if (!isCurrent) return;
        setView(sending);
        setHost(where);
      },
      (reason) => isCurrent && setError(errorBody(reason)),
    );
    return () => {
      isCurrent = false;
    };
  }, [cycle, selection, turn]);
  const send = () =>
    attempt("gate", async () => {
      if (view && !view.is_agreed) await api.consent(cycle, { host: view.host });
      closeGate();
      await generate(n);
    });
  return (
    <>
      {error && <ErrorLine error={error} />}
      {view === null ? (
        <p className="empty">{text.shell.loading}</p>
      ) : (
        <>
          <p>{text.cycle.gateWhat(number(view.size), view.files.length, view.host)}</p>
          <ul className="gate-files">
            {view.files.slice(0, MAX_SHOWN_FILES).map((path) => (
              <li key={path} className="path">
                {path}
              </li>
            ))}
            {view.files.length > MAX_SHOWN_FILES && (
              <li className="muted">{text.cycle.gateMore(view.files.length - MAX_SHOWN_FILES)}</li>
            )}
          </ul>
          {host && <HostNotice host={host} />}
          {view.findings.length > 0 && <Findings findings={view.findings} onResolved={() => again(turn + 1)} />}
        </>
      )}
      <div className="row buttons">
        <button type="button" onClick={closeGate}>
          {text.shell.cancel}
        </button>
        <button
          type="button"
          className="primary push"
          disabled={view === null || view.findings.length > 0 || isBusy}
          onClick={send}
        >
          {view && !view.is_agreed ? text.cycle.gateAgree(view.host) : text.cycle.gateSend}
        </button>
      </div>
    </>
  );
}

function Findings({ findings, onResolved }: { findings: ReadonlyArray<Finding>; onResolved: () => void }) {
  const isBusy = use((state) => state.busy.has("gate"));
  const allow = (finding: Finding) =>
    attempt("gate", async () => {
      await api.allow({ entries: [finding.fingerprint], reason: text.cycle.gateReason });
      onResolved();
    });
  const leaveOut = (path: string) => {
    const next = new Set(get().selection);
    next.delete(path);
    return attempt("gate", async () => {
      await select(next);
      onResolved();
    });
  };
  return (
    <section aria-labelledby="gate-findings">
      <h3 id="gate-findings">{text.cycle.gateFindings(findings.length)}</h3>
      <ul className="writes">
        {findings.map((finding) => (
          <li key={`${finding.path} ${finding.line} ${finding.column} ${finding.fingerprint}`}>
            <span>
              <span className="path">{text.cycle.gatePlace(finding.path, finding.line)}</span>{" "}
              <span className="flag">{finding.rule}</span> <code>{finding.masked}</code>
            </span>
            <span className="row">
              {!finding.path.startsWith("[") && (
                <button type="button" className="small" disabled={isBusy} onClick={() => leaveOut(finding.path)}>
                  {text.cycle.gateLeaveOut}
                </button>
              )}
              <button type="button" className="small" disabled={isBusy} onClick={() => allow(finding)}>
                {text.cycle.gateAllow}
              </button>
            </span>
          </li>
        ))}
      </ul>
    </section>
  );
}
