// The model's own words as they come. Text is appended to the page once a frame and never laid out again as a whole.

import { useEffect, useRef, useSyncExternalStore } from "react";
import type { LiveResponse, LiveText } from "../text/livetext";
import { text as messages } from "../text/messages";

/** A block that is being written is laid out again with every piece; finished ones only while they are in view. */
const BLOCK_CHARS = 8_000;
const NEAR_END_PX = 40;
/** Room that is kept for a line of a block that was never in view. */
const LINE_CHARS = 110;

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
    const writer = new Writer(box.current, text.toString());
    const forget = text.onAppend((piece) => writer.append(piece));
    return () => {
      forget();
      writer.end();
    };
  }, [text]);
  return <div className="raw-text" ref={box} tabIndex={0} role="region" aria-label={label} />;
}

/**
 * Writes once a frame, into blocks of whole lines. Each holds one node that grows: whatever watches the page for new elements sleeps
 * on, and the browser lays out the last block alone. It asks for nothing that would make the browser lay out before its time.
 */
class Writer {
  private readonly box: HTMLElement;
  private readonly blocks = document.createElement("div");
  /** Told once a layout is done, also when a block that comes into view is longer than was thought. */
  private readonly sizes = new ResizeObserver(() => this.follow());
  private words: Text;
  private waiting: string[] = [];
  private frame = 0;
  private isAtEnd = true;
  private top = 0;

  constructor(box: HTMLElement, start: string) {
    this.box = box;
    this.words = this.next();
    this.waiting.push(start);
    this.write();
    box.replaceChildren(this.blocks);
    box.addEventListener("scroll", this.look, { passive: true });
    this.sizes.observe(this.blocks);
  }

  append(piece: string): void {
    this.waiting.push(piece);
    this.frame ||= requestAnimationFrame(this.write);
  }

  end(): void {
    cancelAnimationFrame(this.frame);
    this.sizes.disconnect();
    this.box.removeEventListener("scroll", this.look);
  }

  private readonly look = () => {
    const { scrollHeight, scrollTop, clientHeight } = this.box;
    // Away from the end without having gone up: the text has grown.
    const isNear = scrollHeight - scrollTop - clientHeight < NEAR_END_PX;
    this.isAtEnd = isNear || (this.isAtEnd && scrollTop >= this.top);
    this.top = scrollTop;
  };

  private follow(): void {
    if (this.isAtEnd) this.box.scrollTop = this.box.scrollHeight;
  }

  private readonly write = () => {
    this.frame = 0;
    let rest = this.waiting.join("");
    this.waiting = [];
    while (this.words.length + rest.length > BLOCK_CHARS) {
      const cut = rest.indexOf("\n", Math.max(0, BLOCK_CHARS - this.words.length));
      if (cut < 0) break; // one very long line stays one
      this.words.appendData(rest.slice(0, cut + 1));
      this.words.parentElement?.style.setProperty("contain-intrinsic-block-size", `auto ${linesOf(this.words.data)}lh`);
      this.words = this.next();
      rest = rest.slice(cut + 1);
    }
    this.words.appendData(rest);
  };

  private next(): Text {
    const words = document.createTextNode("");
    const block = document.createElement("pre");
    block.append(words);
    this.blocks.append(block);
    return words;
  }
}

/** About how many lines a block has on the page. */
const linesOf = (block: string) => block.split("\n").reduce((lines, { length }) => lines + Math.max(1, Math.ceil(length / LINE_CHARS)), -1);
