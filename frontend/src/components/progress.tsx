// How far one response is: thinking, answer and what is left of the limit; and the two things one can do about it.

import { useEffect, useState } from "react";
import type { GenerationView, SlotProgress } from "../api/generated";
import { regenerate, stop } from "../state/actions";
import { use } from "../state/store";
import { isActive, rate, seconds, tokensOf } from "../text/words";
import { text } from "../text/messages";
import { Refresh } from "./icons";

const ARMED_MS = 3_000;
const MIN_SCALE = 250;

/** How many tokens a full bar stands for: the limit, or without one a bit more than the longest response has. */
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
  return (
    <span className="figures">
      <span>{text.progress.tokens(tokensOf(progress.tokens))}</span>
      <span>{rate(progress.tokens_per_s)}</span>
      <span>{seconds(progress.elapsed_s)}</span>
    </span>
  );
}

/** Stop while it runs; afterwards regenerate, which asks twice because it takes the model's time. */
export function SlotButtons({ progress, isSmall = false }: { progress: SlotProgress; isSmall?: boolean }) {
  const { slot } = progress;
  const isBusy = use((state) => state.busy.has(`stop ${slot}`) || state.busy.has(`regenerate ${slot}`));
  const [isArmed, arm] = useState(false);
  useEffect(() => {
    if (!isArmed) return;
    const timer = setTimeout(() => arm(false), ARMED_MS);
    return () => clearTimeout(timer);
  }, [isArmed]);
  if (isActive(progress)) {
    return (
      <button type="button" className="small" disabled={isBusy} aria-label={text.progress.stopSlot(slot)} onClick={() => stop(slot)}>
        {text.progress.stop}
      </button>
    );
  }
  return (
    <button
      type="button"
      className={isArmed ? "small is-armed" : "small"}
      disabled={isBusy}
      aria-label={text.progress.regenerateSlot(slot, isArmed)}
      title={text.progress.regenerateTitle}
      onClick={() => {
        arm(!isArmed);
        if (isArmed) void regenerate(slot);
      }}
    >
      {isArmed ? text.progress.sure : isSmall ? <Refresh /> : text.progress.regenerate}
    </button>
  );
}
