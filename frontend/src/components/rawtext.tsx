// The model's own words as they come. Text is appended to the page piece by piece and never laid out again as a whole.

import { useEffect, useRef, useSyncExternalStore } from "react";
import type { LiveResponse, LiveText } from "../text/livetext";
import { text as messages } from "../text/messages";

const BLOCK_CHARS = 8_000;
const NEAR_END_PX = 40;

export function RawText({ live, isActive }: { live: LiveResponse; isActive: boolean }) {
  const hasThinking = useSyncExternalStore(live.thinking.onFirst, () => !live.thinking.isEmpty);
  const hasText = useSyncExternalStore(live.text.onFirst, () => !live.text.isEmpty);
  return (
    <div className="raw">
      {hasThinking && (
        <details open={!hasText || undefined}>
          <summary>{messages.review.thinking}</summary>
          <Growing text={live.thinking} label={messages.review.thinking} />
        </details>
      )}
      {hasText ? (
        <Growing text={live.text} label={messages.review.rawText} />
      ) : (
        !hasThinking && <p className="empty">{isActive ? messages.review.waiting : messages.review.noText}</p>
      )}
    </div>
  );
}

function Growing({ text, label }: { text: LiveText; label: string }) {
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (!box.current) return;
    const writer = new Writer(box.current);
    writer.append(text.toString());
    return text.onAppend((piece) => writer.append(piece));
  }, [text]);
  return <div className="raw-text" ref={box} tabIndex={0} role="region" aria-label={label} />;
}

/** Appends to blocks of whole lines, so that the browser lays out only the last one again. */
class Writer {
  private readonly box: HTMLElement;
  private block: HTMLElement;
  private length = 0;

  constructor(box: HTMLElement) {
    this.box = box;
    box.replaceChildren();
    this.block = this.next();
  }

  append(piece: string): void {
    const { box } = this;
    const isAtEnd = box.scrollHeight - box.scrollTop - box.clientHeight < NEAR_END_PX;
    let rest = piece;
    while (this.length + rest.length > BLOCK_CHARS) {
      const cut = rest.indexOf("\n", Math.max(0, BLOCK_CHARS - this.length));
      if (cut < 0) break; // one very long line stays one
      this.block.append(rest.slice(0, cut + 1));
      this.block = this.next();
      rest = rest.slice(cut + 1);
    }
    this.block.append(rest);
    this.length += rest.length;
    if (isAtEnd) box.scrollTop = box.scrollHeight;
  }

  private next(): HTMLElement {
    const block = document.createElement("pre");
    this.box.append(block);
    this.length = 0;
    return block;
  }
}
