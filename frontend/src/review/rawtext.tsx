// The model's text as it streams in. It is appended to the page once a frame, and the whole is never laid out again.

import { useEffect, useRef, useSyncExternalStore } from "react";
import { text as messages } from "../messages";
import type { LiveResponse, LiveText } from "../state/livetext";

/** The last block is laid out again with every piece; finished blocks only while they are in view. */
const BLOCK_CHARS = 8_000;
const NEAR_END_PX = 40;
/** Line length assumed for blocks that were never in view. */
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
 * Writes once a frame, into blocks of whole lines. Each block is one text node that grows, so mutation observers for new elements stay
 * quiet and the browser lays out only the last block. Nothing here forces a synchronous layout.
 */
class Writer {
  private readonly box: HTMLElement;
  private readonly blocks = document.createElement("div");
  /** Called after each layout, also when a block that comes into view turns out longer than estimated. */
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
    // Not near the end, but not scrolled up either: the text has grown.
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

/** The estimated number of lines that a block takes on the page. */
const linesOf = (block: string) =>
  block.split("\n").reduce((lines, { length }) => lines + Math.max(1, Math.ceil(length / LINE_CHARS)), -1);
