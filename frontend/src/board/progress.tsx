// The progress of one response (thinking, answer, output limit), and the buttons that stop, continue or regenerate it.

import { type ReactNode, useEffect, useState } from "react";
import type { GenerationView, SlotProgress } from "../api/generated";
import { Refresh } from "../kit/icons";
import { text } from "../messages";
import { use } from "../state/store";
import { isActive, rate, seconds, tokensOf } from "../text/words";
import { continueResponse, regenerate, regenerateSlots, stop, stopAll } from "./state/running";

const ARMED_MS = 3_000;
const TICK_MS = 500;
const MIN_SCALE = 250;

/** The number of tokens of a full bar: the limit, or without one a bit more than the longest response has. */
export function scaleOf(generation: GenerationView): number {
  if (generation.max_tokens > 0) return generation.max_tokens;
  const longest = Math.max(...generation.slots.map(({ tokens }) => tokens.thinking + tokens.answer));
  return generation.slots.some(isActive) ? Math.max(MIN_SCALE, longest * 1.25) : longest;
}

export function Bar({ progress, generation }: { progress: SlotProgress; generation: GenerationView }) {
  const { thinking, answer } = progress.tokens;
  const limit = generation.max_tokens;
  const whole = Math.max(scaleOf(generation), thinking + answer, 1);
  const label = text.progress.bar(thinking, answer, limit);
  return (
    <span className={`bar status-${progress.status}`} role="img" aria-label={label} title={label}>
      <span className="bar-thinking" style={{ width: `${(thinking / whole) * 100}%` }} />
      <span className="bar-answer" style={{ width: `${(answer / whole) * 100}%` }} />
    </span>
  );
}

export function Figures({ progress }: { progress: SlotProgress }) {
  const { position, wait, ttft_s: ttft } = progress;
  return (
    <span className="figures">
      {position !== null && <span>{text.progress.place(position)}</span>}
      {wait !== null && <span>{text.progress.wait(wait.why, wait.retry_in_s)}</span>}
      <span>{text.progress.tokens(tokensOf(progress.tokens))}</span>
      {ttft !== null && (
        <span title={progress.tokens_per_s === null ? text.progress.noRate : undefined}>
          {rate(progress.tokens_per_s)}
        </span>
      )}
      {ttft !== null && <span title={text.progress.ttftTitle}>{text.progress.ttft(seconds(ttft))}</span>}
      <Timer progress={progress} />
    </span>
  );
}

/** Keeps counting between events, so that a waiting response does not look dead. */
function Timer({ progress }: { progress: SlotProgress }) {
  const { elapsed_s: elapsed } = progress;
  const isRunning = isActive(progress) && elapsed !== null;
  const [ahead, setAhead] = useState({ from: progress, by: 0 });
  useEffect(() => {
    if (!isRunning) return;
    const began = performance.now();
    const timer = setInterval(() => setAhead({ from: progress, by: (performance.now() - began) / 1000 }), TICK_MS);
    return () => clearInterval(timer);
  }, [progress, isRunning]);
  if (elapsed === null) return null;
  return <span>{seconds(elapsed + (isRunning && ahead.from === progress ? ahead.by : 0))}</span>;
}

/** Stop while it runs; afterwards continue where it was cut off, or regenerate. */
export function SlotButtons({ progress, isSmall = false }: { progress: SlotProgress; isSmall?: boolean }) {
  const { slot } = progress;
  const isBusy = use((state) => ACTS.some((act) => state.busy.has(`${act} ${slot}`)));
  if (isActive(progress)) {
    return (
      <button
        type="button"
        className="small"
        disabled={isBusy}
        aria-label={text.progress.stopSlot(slot)}
        onClick={() => stop(slot)}
      >
        {text.progress.stop}
      </button>
    );
  }
  return (
    <span className="slot-buttons">
      {CUT.has(progress.status) && progress.tokens.answer > 0 && (
        <button
          type="button"
          className="small"
          disabled={isBusy}
          aria-label={text.progress.continueSlot(slot)}
          title={text.progress.continueTitle}
          onClick={() => continueResponse(slot)}
        >
          {text.progress.continue}
        </button>
      )}
      <TwoClicks
        label={text.progress.regenerateSlot(slot)}
        title={text.progress.regenerateTitle}
        isBusy={isBusy}
        onSure={() => regenerate(slot)}
      >
        {isSmall ? <Refresh /> : text.progress.regenerate}
      </TwoClicks>
    </span>
  );
}

const ACTS = ["stop", "regenerate", "continue"];
/** Statuses of responses that ended before the model had finished. */
const CUT: ReadonlySet<string> = new Set(["truncated", "stopped", "interrupted", "error"]);

interface TwoClicksProps {
  label: string;
  title: string;
  isBusy: boolean;
  onSure: () => void;
  children: ReactNode;
}

/** A button that must be pressed twice, because its action costs model time. */
export function TwoClicks({ label, title, isBusy, onSure, children }: TwoClicksProps) {
  const [isArmed, arm] = useState(false);
  useEffect(() => {
    if (!isArmed) return;
    const timer = setTimeout(() => arm(false), ARMED_MS);
    return () => clearTimeout(timer);
  }, [isArmed]);
  return (
    <button
      type="button"
      className={isArmed ? "small is-armed" : "small"}
      disabled={isBusy}
      aria-label={isArmed ? text.progress.sureOf(label) : label}
      title={title}
      onClick={() => {
        arm(!isArmed);
        if (isArmed) onSure();
      }}
    >
      {isArmed ? text.progress.sure : children}
    </button>
  );
}

/** Buttons for all responses: total speed and Stop all while they run, then Retry and Regenerate all. */
export function AllButtons({ generation }: { generation: GenerationView }) {
  const isBusy = use((state) => state.busy.has("stop") || state.busy.has("again"));
  const running = generation.slots.filter(isActive);
  const failed = generation.slots.filter((slot) => FAILED.has(slot.status)).map((slot) => slot.slot);
  const speed = running.reduce((sum, slot) => sum + (slot.tokens_per_s ?? 0), 0);
  if (running.length > 0) {
    return (
      <>
        {speed > 0 && <span className="muted figures">{text.progress.totalRate(rate(speed))}</span>}
        <button type="button" className="small" disabled={isBusy} onClick={() => stopAll()}>
          {text.progress.stopAll}
        </button>
      </>
    );
  }
  return (
    <>
      {failed.length > 0 && (
        <button
          type="button"
          className="small"
          disabled={isBusy}
          title={text.progress.retryTitle}
          onClick={() => regenerateSlots(failed)}
        >
          {text.progress.retry(failed.length)}
        </button>
      )}
      <TwoClicks
        label={text.progress.regenerateAll}
        title={text.progress.regenerateTitle}
        isBusy={isBusy}
        onSure={() => regenerateSlots(generation.slots.map((slot) => slot.slot))}
      >
        {text.progress.regenerateAll}
      </TwoClicks>
    </>
  );
}

/** Statuses of responses without an answer that can be accepted. */
const FAILED: ReadonlySet<string> = new Set(["error", "interrupted", "stopped"]);
