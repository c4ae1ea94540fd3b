// Manual generation: the prompt is copied to the clipboard, and replies are pasted into tabs. A mode like the others, not a fallback.

import { type ClipboardEvent, type RefObject, useEffect, useRef, useState } from "react";
import { Tab, TabList, TabPanel, Tabs } from "react-aria-components";
import { api } from "../api/client";
import type { BoardRow, PromptText, SlotView } from "../api/generated";
import { Check, Plus } from "../kit/icons";
import { Lines } from "../kit/lines";
import { Markdown } from "../kit/markdown";
import { PaneScreen } from "../kit/pane";
import { text } from "../messages";
import { attempt } from "../state/attempt";
import { get, notify, use } from "../state/store";
import { go, loadBoard, loadGeneration, openPane } from "../state/window";
import { useWindowState } from "../state/windowstate";
import { flush } from "./state/draft";

/** A paste of at least this many characters is taken as a whole answer. */
const LARGE_PASTE_CHARS = 1_000;
const MIN_TABS = 4;

export function ManualScreen() {
  const cycle = use((state) => state.place.cycle);
  const title = use((state) => state.cycle?.cycle.title ?? "");
  const [copied, setCopied] = useState<PromptText | null>(null);
  return (
    <PaneScreen title={text.manual.title} className="manual">
      {cycle !== null && (
        <>
          <section className="card" aria-label={text.cycle.name(cycle, title)}>
            <h3>{text.cycle.name(cycle, title)}</h3>
            <p className="muted">{text.manual.explain}</p>
            <Copy cycle={cycle} copied={copied} onCopied={setCopied} />
          </section>
          <Answers cycle={cycle} prompt={copied} />
        </>
      )}
    </PaneScreen>
  );
}

function Copy({
  cycle,
  copied,
  onCopied,
}: {
  cycle: number;
  copied: PromptText | null;
  onCopied: (prompt: PromptText) => void;
}) {
  const isBusy = use((state) => state.busy.has("copy"));
  const [hasCopyFailed, setCopyFailed] = useState(false);
  const box = useRef<HTMLTextAreaElement>(null);
  useEffect(() => {
    if (hasCopyFailed) box.current?.select();
  }, [hasCopyFailed, copied]);
  const copy = () =>
    attempt("copy", async () => {
      if (!(await flush())) return;
      const prompt = await api.writePrompt(cycle);
      onCopied(prompt);
      try {
        await navigator.clipboard.writeText(prompt.text);
        setCopyFailed(false);
      } catch {
        setCopyFailed(true); // not allowed to write to the clipboard: show the text, selected
      }
    });
  return (
    <>
      <div className="row">
        <button type="button" className="primary" id="copy-prompt" disabled={isBusy} onClick={copy}>
          {isBusy ? text.manual.copying : text.manual.copy}
        </button>
        <span role="status" className="muted">
          {copied && !hasCopyFailed && text.manual.copied(copied.tokens, copied.is_exact, copied.path)}
          {copied && hasCopyFailed && text.manual.selectIt}
        </span>
      </div>
      {copied && hasCopyFailed && (
        <textarea ref={box} readOnly rows={6} value={copied.text} aria-label={text.manual.promptText} />
      )}
    </>
  );
}

const open = (slot: number) => openPane("manual", `slot/${slot}`, true);

function Answers({ cycle, prompt }: { cycle: number; prompt: PromptText | null }) {
  const generation = use((state) => state.generation);
  const board = use((state) => state.board);
  const detail = use((state) => state.place.detail);
  const max = use((state) => state.workspace?.max_n ?? 1);
  const [more, setMore] = useWindowState(`manual more ${cycle}`, 0);
  const [isRaw, setRaw] = useWindowState("manual raw", false);
  const filled = new Set(generation?.slots.map(({ slot }) => slot));
  const tabs = Math.min(max, Math.max(MIN_TABS, 0, ...filled) + more);
  const wanted = Number(detail.replace("slot/", ""));
  const slot = wanted >= 1 && wanted <= Math.max(tabs, max) ? wanted : 1;
  const slots = Array.from({ length: Math.max(tabs, slot) }, (_, index) => index + 1);
  const [movedTo, setMovedTo] = useState(0); // by saving an answer: the focus moves to the next empty tab
  const version = generation?.slots.find((each) => each.slot === slot)?.version;
  const save = (answer: string) =>
    attempt("paste", async () => {
      const order = {
        slot,
        text: answer,
        generation: prompt ? null : (generation?.id ?? null),
        prompt: prompt?.sha256 ?? "",
      };
      const made = await api.paste(cycle, order);
      if (get().place.generation !== made.id) go({ ...get().place, generation: made.id, slot: null }, true);
      await Promise.all([loadGeneration(), loadBoard()]);
      notify({ kind: "done", text: text.manual.saved(slot) });
      const empty = slots.find((each) => each !== slot && !made.slots.some((one) => one.slot === each));
      // Stay here after an edit of an existing answer, or if another screen is open by now.
      if (empty !== undefined && !filled.has(slot) && get().place.pane === "manual") {
        setMovedTo(empty);
        open(empty);
      }
      return true;
    });
  return (
    <section className="card" aria-labelledby="answers-title">
      <div className="row">
        <h3 id="answers-title">{text.manual.answers}</h3>
        <div className="facets push" role="group" aria-label={text.manual.view}>
          {[false, true].map((raw) => (
            <button key={String(raw)} type="button" aria-pressed={isRaw === raw} onClick={() => setRaw(raw)}>
              {raw ? text.manual.raw : text.manual.parsed}
            </button>
          ))}
        </div>
        <button
          type="button"
          disabled={filled.size === 0}
          onClick={() => go({ ...get().place, pane: null, detail: "", slot: null })}
        >
          {text.manual.toBoard}
        </button>
      </div>
      <Tabs
        selectedKey={String(slot)}
        onSelectionChange={(key) => {
          setMovedTo(0);
          open(Number(key));
        }}
      >
        <div className="row">
          <TabList aria-label={text.manual.answers} className="tabs">
            {slots.map((each) => (
              <Tab
                key={each}
                id={String(each)}
                className="tab"
                aria-label={text.manual.tab(each, stateOf(each, filled, board?.rows))}
              >
                {filled.has(each) && <Check />}
                {each}
              </Tab>
            ))}
          </TabList>
          {slots.length < max && (
            <button type="button" className="quiet" onClick={() => setMore(more + 1)}>
              <Plus /> {text.manual.more}
            </button>
          )}
        </div>
        {slots.map((each) => (
          <TabPanel key={each} id={String(each)} className="panel">
            {each === slot && (
              <Answer
                key={`${generation?.id} ${slot} ${version}`}
                cycle={cycle}
                version={version ?? 0}
                generation={generation?.id ?? null}
                slot={slot}
                isFilled={filled.has(slot)}
                isRaw={isRaw}
                isNext={movedTo === slot}
                onSave={save}
              />
            )}
          </TabPanel>
        ))}
      </Tabs>
    </section>
  );
}

function stateOf(slot: number, filled: ReadonlySet<number>, rows: ReadonlyArray<BoardRow> | undefined): string {
  if (!filled.has(slot)) return text.manual.empty;
  return text.manual.files(rows?.find((row) => row.slot === slot)?.files.length ?? 0);
}

interface AnswerProps {
  cycle: number;
  version: number;
  generation: number | null;
  slot: number;
  isFilled: boolean;
  isRaw: boolean;
  isNext: boolean;
  onSave: (answer: string) => Promise<unknown>;
}

function Answer({ cycle, version, generation, slot, isFilled, isRaw, isNext, onSave }: AnswerProps) {
  const isBusy = use((state) => state.busy.has("paste"));
  const field = useRef<HTMLTextAreaElement>(null);
  const [view, setView] = useState<SlotView | null>(null);
  const [typed, setTyped] = useWindowState<string | null>(`manual ${cycle} ${generation} ${slot} ${version}`, null);
  useEffect(() => {
    let isCurrent = true;
    if (generation !== null && isFilled)
      api.slot(generation, slot).then(
        (found) => isCurrent && setView(found),
        () => null,
      );
    return () => {
      isCurrent = false;
    };
  }, [generation, slot, isFilled]);
  if (isFilled && !isRaw && view) return <Parsed view={view} />;
  const shown = typed ?? view?.text ?? "";
  const save = async (answer: string) => {
    if (await onSave(answer)) setTyped(null);
  };
  const take = (pasted: string) => {
    setTyped(pasted); // stays visible if it is refused
    if (pasted.length >= LARGE_PASTE_CHARS) void save(pasted);
    else field.current?.focus();
  };
  const onPaste = (event: ClipboardEvent) => {
    const pasted = event.clipboardData.getData("text");
    if (shown.trim() !== "" || pasted.length < LARGE_PASTE_CHARS) return;
    event.preventDefault();
    take(pasted);
  };
  return (
    <div className="manual-answer">
      {!isFilled && shown === "" && (
        <PasteHere slot={slot} field={field} isNext={isNext} onText={(pasted) => take(pasted)} />
      )}
      <textarea
        ref={field}
        rows={12}
        aria-label={text.manual.paste(slot)}
        placeholder={text.manual.pasteHint}
        value={shown}
        onPaste={onPaste}
        onChange={(event) => setTyped(event.target.value)}
      />
      <button
        type="button"
        disabled={isBusy || shown.trim() === "" || (isFilled && shown === view?.text)}
        onClick={() => save(shown)}
      >
        {isFilled ? text.manual.saveAgain : text.manual.save}
      </button>
    </div>
  );
}

interface PasteHereProps {
  slot: number;
  field: RefObject<HTMLTextAreaElement | null>;
  isNext: boolean;
  onText: (pasted: string) => void;
}

/** Pastes the clipboard's text if the browser lets the page read it; otherwise focuses the field. */
function PasteHere({ slot, field, isNext, onText }: PasteHereProps) {
  const [hasPasteFailed, setPasteFailed] = useState(false);
  const button = useRef<HTMLButtonElement>(null);
  useEffect(() => {
    if (isNext) button.current?.focus();
  }, [isNext]);
  const paste = async () => {
    const found = await navigator.clipboard.readText().catch(() => "");
    if (found.trim() !== "") return onText(found);
    setPasteFailed(true);
    field.current?.focus();
  };
  return (
    <div className="row">
      <button type="button" ref={button} className="primary" onClick={paste}>
        {text.manual.pasteHere}
        <span className="hidden"> {text.manual.intoSlot(slot)}</span>
      </button>
      <span className="muted" role="status">
        {hasPasteFailed ? text.manual.pasteFailed : text.manual.pasteExplain(slot)}
      </span>
    </div>
  );
}

function Parsed({ view }: { view: SlotView }) {
  const { reading } = view;
  if (!reading) return null;
  return (
    <div className="answer">
      {reading.parse === "failed" && <p className="banner">{text.review.parseFailed}</p>}
      <Markdown source={reading.summary} />
      <ul className="writes">
        {reading.files.map((file) => (
          <li key={file.path}>
            <span className="path">{file.path}</span>
            <Lines change={file.change} added={file.added} removed={file.removed} />
          </li>
        ))}
      </ul>
    </div>
  );
}
