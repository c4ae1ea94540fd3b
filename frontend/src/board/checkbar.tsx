// The checks of the generation in view: running them, how far they are, stopping them, and the way to their commands.

import { useEffect } from "react";
import type { GenerationView } from "../api/generated";
import { text } from "../messages";
import { use } from "../state/store";
import { openPane } from "../state/window";
import { isActive } from "../text/words";
import { checksOf, loadChecks, runChecks, stopChecks } from "./state/checks";

export function CheckBar({ generation }: { generation: GenerationView }) {
  const names = use((state) => state.workspace?.checks);
  const isBusy = use((state) => state.busy.has("checks") || state.board?.is_checking === true);
  const view = checksOf.use();
  const { id } = generation;
  useEffect(() => {
    void loadChecks();
  }, [id]);
  const hasEnded = generation.slots.some((slot) => !isActive(slot));
  if (!names) return null;
  if (names.length === 0) {
    return (
      <button type="button" className="small" onClick={() => openPane("checks")}>
        {text.checks.setUp}
      </button>
    );
  }
  const isChecking = isBusy || (view?.generation === id && view.is_checking);
  return (
    <>
      {isChecking ? (
        <Running generation={id} />
      ) : (
        hasEnded && (
          <button type="button" className="small" onClick={() => runChecks()} title={names.join(", ")}>
            {text.checks.run}
          </button>
        )
      )}
      <button type="button" className="quiet small" title={text.checks.openTitle} onClick={() => openPane("checks")}>
        {text.checks.open}
      </button>
    </>
  );
}

function Running({ generation }: { generation: number }) {
  const view = checksOf.use();
  const isStopping = use((state) => state.busy.has("stop checks"));
  const progress = view?.generation === generation ? view.progress : null;
  return (
    <span className="check-progress">
      {/* Announced once, not at every step. */}
      <span className="hidden" role="status">
        {text.checks.areRunning}
      </span>
      {progress && (
        <span
          className="bar check-bar"
          role="progressbar"
          aria-label={text.checks.progressBar(progress)}
          aria-valuemin={0}
          aria-valuemax={progress.total}
          aria-valuenow={progress.done}
        >
          <span className="is-done" style={{ width: share(progress.done, progress.total) }} />
          <span className="is-running" style={{ width: share(progress.running.length, progress.total) }} />
        </span>
      )}
      <span className="muted">{progress ? text.checks.progress(progress) : text.checks.beginning}</span>
      <button type="button" className="small" disabled={isStopping} onClick={() => stopChecks()}>
        {text.checks.stop}
      </button>
    </span>
  );
}

const share = (part: number, whole: number) => `${whole > 0 ? (part / whole) * 100 : 0}%`;
