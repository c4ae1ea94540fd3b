// The cycle: its texts, saved as they are typed, the size of the prompt, and Generate.

import { useEffect, useRef, useState } from "react";
import { api } from "../api/client";
import type { Cycle, CycleHead, PromptView, SettingsView } from "../api/generated";
import { Chevron, Plus } from "../kit/icons";
import { text } from "../messages";
import { chooseCard } from "../settings";
import { useOffer } from "../state/offers";
import { notify, set, use } from "../state/store";
import { closePane, openPane } from "../state/window";
import { number } from "../text/words";
import { PromptDialog } from "./prompt";
import { createCycle, generate } from "./state/actions";
import { stepCycle, toCycle } from "./state/cycles";
import { adopt, flush, resolve, useDraft, write } from "./state/draft";
import { fold, unfold, useFolded } from "./state/folding";

const METER_AFTER_MS = 500;

export function CycleCard() {
  const cycles = use((state) => state.workspace?.cycles);
  const cycle = use((state) => state.cycle?.cycle);
  const draft = useDraft();
  const hasResponses = use((state) => state.place.generation !== null);
  const isWanting = draft?.status === "conflict" || (draft?.context.trim() === "" && draft.ephemeral === "");
  const isFolded = useFolded({ cycle: cycle?.id ?? 0, hasResponses, isWanting });
  useEffect(() => {
    if (cycle) adopt(cycle);
  }, [cycle]);
  if (!cycles || !cycle || draft?.cycle !== cycle.id) return <section className="card cycle" aria-busy="true" />;
  return (
    <section className={isFolded ? "card cycle is-folded" : "card cycle"} aria-label={text.cycle.label}>
      <div className="row">
        <CycleChoice cycles={cycles} id={cycle.id} />
        <button
          type="button"
          id="new-cycle"
          className="quiet"
          onClick={async () => {
            if (await flush()) await createCycle();
          }}
        >
          <Plus /> {text.cycle.create}
        </button>
        {hasResponses && !isWanting && (
          <Fold
            cycle={cycle.id}
            isFolded={isFolded}
            isScope={cycle.id === 0}
            words={draft.context || draft.ephemeral}
          />
        )}
        {/* Not a live region: it changes with every pause in typing. A conflict is announced below. */}
        <span className={`saved push is-${draft.status}`} role={draft.status === "failed" ? "alert" : undefined}>
          {text.cycle.saved[draft.status]}
        </span>
        {draft.status === "failed" && (
          <button type="button" onClick={() => flush()}>
            {text.cycle.retry}
          </button>
        )}
      </div>
      {draft.status === "conflict" && (
        <div className="banner" role="alert">
          <p>{text.cycle.conflict}</p>
          <button type="button" onClick={() => resolve(false)}>
            {text.cycle.loadTheirs}
          </button>
          <button type="button" onClick={() => resolve(true)}>
            {text.cycle.keepMine}
          </button>
        </div>
      )}
      {!isFolded && (
        <Texts
          isScope={cycle.id === 0}
          title={draft.title}
          context={draft.context}
          ephemeral={draft.ephemeral}
          onWrite={() => unfold(cycle.id)}
        />
      )}
      <GenerateRow cycle={cycle} />
    </section>
  );
}

/** Collapses the cycle's texts to one line, to leave room for the responses. */
function Fold({
  cycle,
  isFolded,
  isScope,
  words,
}: {
  cycle: number;
  isFolded: boolean;
  isScope: boolean;
  words: string;
}) {
  const button = useRef<HTMLButtonElement>(null);
  const wasFolded = useRef(isFolded);
  useEffect(() => {
    // The focus would be lost when the text field collapses after Generate.
    if (isFolded && !wasFolded.current && document.activeElement === document.body) button.current?.focus();
    wasFolded.current = isFolded;
  }, [isFolded]);
  const label = isScope ? text.cycle.scope : text.cycle.context;
  return (
    <button
      type="button"
      id="cycle-fold"
      ref={button}
      className="quiet fold"
      aria-expanded={!isFolded}
      aria-keyshortcuts="c"
      title={isFolded ? text.cycle.unfold : text.cycle.fold}
      onClick={() => (isFolded ? unfold(cycle) : fold())}
    >
      <Chevron />
      <span className="fold-label">{label}</span>
      {isFolded && <span className="fold-words">{words}</span>}
    </button>
  );
}

/** Moves to the earlier or later cycle, or to any chosen one. */
function CycleChoice({ cycles, id }: { cycles: ReadonlyArray<CycleHead>; id: number }) {
  const at = cycles.findIndex((each) => each.id === id);
  return (
    <span className="cycle-nav">
      <button
        type="button"
        className="quiet"
        aria-label={text.cycle.earlier}
        aria-keyshortcuts="["
        disabled={at <= 0}
        onClick={() => stepCycle(-1)}
      >
        <Chevron />
      </button>
      <select
        aria-label={text.cycle.label}
        className="cycle-choice"
        value={id}
        disabled={cycles.length < 2}
        onChange={(event) => toCycle(Number(event.target.value))}
      >
        {cycles.toReversed().map((each) => (
          <option key={each.id} value={each.id}>
            {text.cycle.name(each.id, each.title)}
          </option>
        ))}
      </select>
      <button
        type="button"
        className="quiet"
        aria-label={text.cycle.later}
        aria-keyshortcuts="]"
        disabled={at >= cycles.length - 1}
        onClick={() => stepCycle(1)}
      >
        <Chevron />
      </button>
    </span>
  );
}

interface TextsProps {
  isScope: boolean;
  title: string;
  context: string;
  ephemeral: string;
  onWrite: () => void;
}

function Texts({ onWrite, ...texts }: TextsProps) {
  return (
    <div className="texts" data-keys="cycle" onInput={onWrite} role="presentation">
      {!texts.isScope && (
        <label className="in-row">
          <span>{text.cycle.title}</span>
          <input
            id="cycle-title"
            value={texts.title}
            placeholder={text.cycle.titleHint}
            onChange={(event) => write("title", event.target.value)}
          />
        </label>
      )}
      <label>
        <span>{texts.isScope ? text.cycle.scope : text.cycle.context}</span>
        <textarea
          id="cycle-context"
          rows={4}
          value={texts.context}
          placeholder={texts.isScope ? text.cycle.scopeHint : text.cycle.contextHint}
          onChange={(event) => write("context", event.target.value)}
        />
      </label>
      <details open={texts.ephemeral !== ""}>
        <summary>{text.cycle.ephemeral}</summary>
        <textarea
          rows={3}
          aria-label={text.cycle.ephemeral}
          value={texts.ephemeral}
          placeholder={text.cycle.ephemeralHint}
          onChange={(event) => write("ephemeral", event.target.value)}
        />
      </details>
    </div>
  );
}

function GenerateRow({ cycle }: { cycle: Cycle }) {
  const workspace = use((state) => state.workspace);
  const selected = use((state) => state.selection.size);
  const [wanted, setWanted] = useState<number | null>(null);
  const isPreview = use((state) => state.place.pane === "prompt");
  const meter = use((state) => state.meter);
  useMeter(cycle);
  const isManual = use((state) => providerOf(state.settings, cycle.card) === "manual");
  if (!workspace) return null;
  const n = wanted ?? workspace.n;
  return (
    <div className="row generate-row">
      {isManual ? (
        <ManualButton />
      ) : (
        <>
          <GenerateButton n={n} />
          <label className="count">
            <input
              type="number"
              aria-label={text.cycle.count}
              min={1}
              max={workspace.max_n}
              value={n}
              onChange={(event) => {
                const value = Math.round(Number(event.target.value));
                if (value >= 1) setWanted(Math.min(value, workspace.max_n));
              }}
            />
            <span>{text.cycle.responses(n)}</span>
          </label>
        </>
      )}
      <ModeChoice cycle={cycle} />
      <div className="push meter-box">
        {meter && <Meter prompt={meter} files={selected} />}
        <button type="button" onClick={async () => (await flush()) && openPane("prompt")}>
          {text.cycle.preview}
        </button>
      </div>
      <PromptDialog cycle={cycle.id} isOpen={isPreview} onClose={closePane} />
    </div>
  );
}

/** Saves the texts and asks for `n` responses. */
function GenerateButton({ n }: { n: number }) {
  const isBusy = use((state) => state.busy.has("generate"));
  const start = async () => {
    if (await flush()) {
      fold();
      await generate(n);
    } else notify({ kind: "error", text: text.cycle.notSaved });
  };
  useOffer("generate", isBusy ? null : start);
  return (
    <button
      type="button"
      id="generate"
      className="primary"
      disabled={isBusy}
      aria-keyshortcuts="Control+Enter"
      onClick={start}
    >
      {isBusy ? text.cycle.preparing : text.cycle.generate}
    </button>
  );
}

async function openManual(): Promise<void> {
  if (await flush()) openPane("manual");
}

/** With a model whose answers are copied by hand, there is a screen to copy them instead. */
function ManualButton() {
  useOffer("generate", openManual);
  return (
    <button type="button" id="generate" className="primary" onClick={openManual}>
      {text.manual.open}
    </button>
  );
}

/** The server type of a card. */
function providerOf(settings: SettingsView | null, card: string): string {
  if (card === "") return settings?.values.provider ?? "gateway";
  return settings?.cards.find((each) => each.name === card)?.provider ?? "gateway";
}

/** The model that this cycle uses: the settings or a card. */
function ModeChoice({ cycle }: { cycle: Cycle }) {
  const settings = use((state) => state.settings);
  const isBusy = use((state) => state.busy.has("card"));
  if (!settings) return null;
  const isKnown = cycle.card === "" || settings.cards.some((card) => card.name === cycle.card);
  return (
    <label className="count mode">
      <span>{text.cycle.mode}</span>
      <select value={cycle.card} disabled={isBusy} onChange={(event) => chooseCard(cycle.id, event.target.value)}>
        <option value="">
          {text.cycle.modeSettings(text.cycle.modeWhat(settings.values.provider, settings.values.url))}
        </option>
        {settings.cards.map((card) => (
          <option key={card.name} value={card.name}>
            {card.is_built_in
              ? card.provider === "manual"
                ? text.cycle.modeManual
                : text.cycle.modeDemo
              : text.cycle.modeCard(card.name, text.cycle.modeWhat(card.provider, card.url))}
          </option>
        ))}
        {!isKnown && <option value={cycle.card}>{cycle.card}</option>}
      </select>
    </label>
  );
}

/** The size of the prompt, measured again shortly after the cycle or the selection was saved. */
function useMeter(cycle: Cycle): void {
  const selection = use((state) => state.workspace?.selection);
  useEffect(() => {
    let isCurrent = true;
    const timer = setTimeout(() => {
      api
        .prompt(cycle.id, false)
        .catch(() => null) // Generate and Preview report errors; the meter need not
        .then((meter) => isCurrent && set({ meter }));
    }, METER_AFTER_MS);
    return () => {
      isCurrent = false;
      clearTimeout(timer);
    };
  }, [cycle.id, cycle.rev, selection]);
}

function Meter({ prompt, files }: { prompt: PromptView; files: number }) {
  const share = prompt.budget ? Math.min(1, prompt.total / prompt.budget) : 0;
  const meter = text.cycle.meter(`${prompt.is_exact ? "" : "~"}${number(prompt.total)}`, prompt.budget);
  return (
    <span
      className={prompt.is_over ? "meter is-over" : "meter"}
      title={[text.cycle.meterTitle(files, prompt.model), prompt.note].join("\n")}
    >
      {prompt.budget !== null && (
        <span className="meter-bar" aria-hidden="true">
          <span style={{ width: `${share * 100}%` }} />
        </span>
      )}
      {prompt.is_over ? text.cycle.tooLong(meter) : meter}
    </span>
  );
}
