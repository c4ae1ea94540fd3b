// What the next cycle should do: its texts, kept as they are written, the prompt they make, and Generate.

import { useEffect, useState } from "react";
import type { Cycle, PromptView } from "../api/generated";
import { api } from "../api/client";
import { chooseCycle, createCycle, generate } from "../state/actions";
import { adopt, type DraftStatus, flush, resolve, useDraft, write } from "../state/draft";
import { notify, use } from "../state/store";
import { number, plural } from "../text/words";
import { Plus } from "./icons";
import { PromptDialog } from "./prompt";

const METER_AFTER_MS = 500;

const SAVED: Readonly<Record<DraftStatus, string>> = {
  saved: "Saved",
  unsaved: "…",
  saving: "Saving…",
  conflict: "Changed elsewhere",
  failed: "Not saved",
};

const nameOf = (cycle: Cycle) => (cycle.id === 0 ? "Cycle 0: project scope" : `Cycle ${cycle.id}${cycle.title && `: ${cycle.title}`}`);

export function CycleCard() {
  const cycles = use((state) => state.workspace?.cycles);
  const id = use((state) => state.cycle);
  const cycle = cycles?.find((each) => each.id === id);
  const draft = useDraft();
  useEffect(() => {
    if (cycle) adopt(cycle);
  }, [cycle]);
  if (!cycles || !cycle || draft?.cycle !== cycle.id) return <section className="card cycle" aria-busy="true" />;
  return (
    <section className="card cycle" aria-label="Cycle">
      <div className="row">
        <select
          aria-label="Cycle"
          className="cycle-choice"
          value={cycle.id}
          onChange={(event) => {
            void flush();
            chooseCycle(Number(event.target.value));
          }}
        >
          {cycles.toReversed().map((each) => (
            <option key={each.id} value={each.id}>
              {nameOf(each)}
            </option>
          ))}
        </select>
        <button
          type="button"
          className="quiet"
          onClick={async () => {
            if (await flush()) await createCycle();
          }}
        >
          <Plus /> New cycle
        </button>
        <span className={`saved push is-${draft.status}`} role="status">
          {SAVED[draft.status]}
        </span>
        {draft.status === "failed" && (
          <button type="button" onClick={() => flush()}>
            Try again
          </button>
        )}
      </div>
      {draft.status === "conflict" && (
        <div className="banner" role="alert">
          <p>This cycle was edited in another window or from the command line.</p>
          <button type="button" onClick={() => resolve(false)}>
            Load theirs
          </button>
          <button type="button" onClick={() => resolve(true)}>
            Keep mine
          </button>
        </div>
      )}
      <Texts isScope={cycle.id === 0} title={draft.title} context={draft.context} ephemeral={draft.ephemeral} />
      <GenerateRow cycle={cycle} />
    </section>
  );
}

function onEnter(event: React.KeyboardEvent): void {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) document.getElementById("generate")?.click();
}

function Texts(texts: { isScope: boolean; title: string; context: string; ephemeral: string }) {
  return (
    <div className="texts" onKeyDown={onEnter} role="presentation">
      {!texts.isScope && (
        <label className="in-row">
          <span>Title</span>
          <input
            id="cycle-title"
            value={texts.title}
            placeholder="A few words: what this cycle is about"
            onChange={(event) => write("title", event.target.value)}
          />
        </label>
      )}
      <label>
        <span>{texts.isScope ? "Project scope" : "What should change"}</span>
        <textarea
          id="cycle-context"
          rows={4}
          value={texts.context}
          placeholder={
            texts.isScope
              ? "What the project is for and where it is going. It stands in every prompt."
              : "Say it as you would to a colleague: what, where, and how you will know that it is right."
          }
          onChange={(event) => write("context", event.target.value)}
        />
      </label>
      <details open={texts.ephemeral !== ""}>
        <summary>Ephemeral context</summary>
        <textarea
          rows={3}
          aria-label="Ephemeral context"
          value={texts.ephemeral}
          placeholder="For this prompt only: a log, an error message, a page of documentation. It is left out of later cycles."
          onChange={(event) => write("ephemeral", event.target.value)}
        />
      </details>
    </div>
  );
}

function GenerateRow({ cycle }: { cycle: Cycle }) {
  const workspace = use((state) => state.workspace);
  const isBusy = use((state) => state.busy.has("generate"));
  const selected = use((state) => state.selection.size);
  const [wanted, setWanted] = useState<number | null>(null);
  const [isPreview, setPreview] = useState(false);
  const meter = useMeter(cycle);
  if (!workspace) return null;
  const n = wanted ?? workspace.n;
  return (
    <div className="row generate-row">
      <button
        type="button"
        id="generate"
        className="primary"
        disabled={isBusy}
        aria-keyshortcuts="Control+Enter"
        onClick={async () => {
          if (await flush()) await generate(n);
          else notify({ kind: "error", text: "The cycle’s text is not saved, so nothing was sent." });
        }}
      >
        {isBusy ? "Preparing…" : "Generate"}
      </button>
      <label className="count">
        <input
          type="number"
          aria-label="Number of responses"
          min={1}
          max={workspace.max_n}
          value={n}
          onChange={(event) => {
            const value = Math.round(Number(event.target.value));
            if (value >= 1) setWanted(Math.min(value, workspace.max_n));
          }}
        />
        <span>{n === 1 ? "response" : "responses"}</span>
      </label>
      <div className="push meter-box">
        {meter && <Meter prompt={meter} files={selected} />}
        <button type="button" className="quiet" onClick={async () => setPreview(await flush())}>
          Preview prompt
        </button>
      </div>
      <PromptDialog cycle={cycle.id} isOpen={isPreview} onClose={() => setPreview(false)} />
    </div>
  );
}

/** What the prompt would cost now; measured again a moment after the cycle or the selection was kept. */
function useMeter(cycle: Cycle): PromptView | null {
  const selection = use((state) => state.workspace?.selection);
  const [prompt, setPrompt] = useState<PromptView | null>(null);
  useEffect(() => {
    let isCurrent = true;
    const timer = setTimeout(() => {
      api
        .prompt(cycle.id, false)
        .catch(() => null) // Generate and Preview tell what is wrong; a meter need not
        .then((value) => isCurrent && setPrompt(value));
    }, METER_AFTER_MS);
    return () => {
      isCurrent = false;
      clearTimeout(timer);
    };
  }, [cycle.id, cycle.rev, selection]);
  return prompt;
}

function Meter({ prompt, files }: { prompt: PromptView; files: number }) {
  const share = prompt.budget ? Math.min(1, prompt.total / prompt.budget) : 0;
  const text = `${prompt.is_exact ? "" : "~"}${number(prompt.total)}${prompt.budget === null ? "" : ` of ${number(prompt.budget)}`} tokens`;
  return (
    <span className={prompt.is_over ? "meter is-over" : "meter"} title={[`The prompt, with ${plural(files, "file")}, for ${prompt.model || "the default model"}`, prompt.note].join("\n")}>
      {prompt.budget !== null && (
        <span className="meter-bar" aria-hidden="true">
          <span style={{ width: `${share * 100}%` }} />
        </span>
      )}
      {prompt.is_over ? `Too long: ${text}` : text}
    </span>
  );
}
