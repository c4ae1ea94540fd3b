// The panel's event stream, shared by all windows of this browser.
//
// A browser opens at most six connections to a host, so one stream per window would use them up. One window, chosen by a lock, holds
// the connection and forwards the events; when it closes, another continues from its own cursor. What must always hold: every window
// sees every event once and in order (`sequence.ts`), or is told to reload everything.

import { type Frame, Sequence } from "./sequence";

export type Link = "connecting" | "live" | "lost" | "closed";

export interface Listener {
  readonly onEvent: (name: string, data: string) => void;
  readonly onReset: () => void;
  readonly onLink: (link: Link) => void;
  /** The browser closed the stream: reload, then `start`. Called in the window that holds the connection. */
  readonly onClosed: () => void;
}

type Message = { readonly frame: Frame } | { readonly link: Link } | { readonly isNew: true };

const NAME = "dce-events";
const ALIVE_MS = 10_000;
/** A visible window takes over from one that was silent this long, such as one frozen in a debugger. Timers of hidden windows run once a minute. */
const SILENT_MS = 150_000;

export class SharedStream {
  private readonly sequence = new Sequence();
  private readonly channel: BroadcastChannel | null;
  private readonly names: ReadonlyArray<string>;
  private readonly listener: Listener;
  /** Events that arrive before the snapshot. */
  private early: Frame[] | null = [];
  private source: EventSource | null = null;
  private link: Link = "connecting";
  private isLeading = false;
  private heardAt = Date.now();

  constructor(names: ReadonlyArray<string>, listener: Listener) {
    this.names = names;
    this.listener = listener;
    const canShare = "BroadcastChannel" in globalThis && "locks" in navigator;
    this.channel = canShare ? new BroadcastChannel(NAME) : null;
    this.channel?.addEventListener("message", ({ data }: MessageEvent<Message>) => this.hear(data));
  }

  /** Continues after a snapshot's cursor. The channel was open before the snapshot was taken, so nothing is missed in between. */
  start(cursor: string): void {
    const isFirst = this.early !== null && this.source === null;
    this.sequence.start(cursor);
    const early = this.early ?? [];
    this.early = null;
    for (const frame of early) this.take(frame);
    if (!isFirst) {
      if (this.isLeading) this.open();
      return;
    }
    if (!this.channel) {
      this.isLeading = true;
      this.open();
      return;
    }
    this.post({ isNew: true });
    this.campaign(false);
    setInterval(() => this.watch(), ALIVE_MS);
  }

  /** Waits for the lock as long as the page lives; the window that holds it holds the connection. */
  private campaign(steal: boolean): void {
    navigator.locks
      .request(NAME, { steal }, () => {
        this.isLeading = true;
        this.open();
        return new Promise<never>(() => {});
      })
      .catch(() => {
        // Another window took over because this one seemed dead.
        this.isLeading = false;
        this.source?.close();
        this.source = null;
        this.campaign(false);
      });
  }

  private watch(): void {
    if (this.isLeading) this.post({ link: this.link });
    else if (!document.hidden && Date.now() - this.heardAt > SILENT_MS) {
      this.heardAt = Date.now();
      this.campaign(true);
    }
  }

  private open(): void {
    this.source?.close();
    const source = new EventSource(`/api/events?cursor=${encodeURIComponent(this.sequence.cursor)}`);
    this.source = source;
    source.addEventListener("open", () => this.tell("live"));
    source.addEventListener("error", () => {
      const isClosed = source.readyState === EventSource.CLOSED;
      this.tell(isClosed ? "closed" : "lost");
      if (isClosed) this.listener.onClosed();
    });
    for (const name of [...this.names, "reset"]) {
      source.addEventListener(name, (event) => {
        const { lastEventId, data } = event as MessageEvent<string>;
        const frame = { id: lastEventId, name, data };
        this.post({ frame });
        this.take(frame);
      });
    }
  }

  private hear(message: Message): void {
    this.heardAt = Date.now();
    if ("isNew" in message) {
      if (this.isLeading) this.post({ link: this.link });
    } else if ("link" in message) {
      if (!this.isLeading) this.put(message.link);
    } else if (this.early) this.early.push(message.frame);
    else this.take(message.frame);
  }

  private take(frame: Frame): void {
    const verdict = this.sequence.take(frame);
    if (verdict === "reset") this.listener.onReset();
    else if (verdict === "apply") this.listener.onEvent(frame.name, frame.data);
  }

  private tell(link: Link): void {
    this.put(link);
    this.post({ link });
  }

  private put(link: Link): void {
    // Another window reconnected: the panel may have been restarted since.
    if (!this.isLeading && this.link === "closed" && link === "live") this.listener.onReset();
    this.link = link;
    this.listener.onLink(link);
  }

  private post(message: Message): void {
    this.channel?.postMessage(message);
  }
}
