// A text that grows: kept in pieces, so a long answer costs what it is long, not its square.
//
// The panel's offsets count code points, JavaScript's strings UTF-16 units; the length kept here counts as the panel does.

/** Code points in a string. */
export function codePoints(text: string): number {
  let pairs = 0;
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    if (unit >= 0xd800 && unit < 0xdc00 && at + 1 < text.length) {
      const next = text.charCodeAt(at + 1);
      if (next >= 0xdc00 && next < 0xe000) {
        pairs++;
        at++;
      }
    }
  }
  return text.length - pairs;
}

/** `text` without its first `count` code points. */
export function dropCodePoints(text: string, count: number): string {
  let at = 0;
  for (let dropped = 0; dropped < count && at < text.length; dropped++) {
    at += (text.codePointAt(at) ?? 0) > 0xffff ? 2 : 1;
  }
  return text.slice(at);
}

export class LiveText {
  private pieces: string[] = [];
  private length = 0;
  private readonly listeners = new Set<(piece: string) => void>();

  /** The whole text so far. */
  toString(): string {
    if (this.pieces.length > 1) this.pieces = [this.pieces.join("")];
    return this.pieces[0] ?? "";
  }

  get isEmpty(): boolean {
    return this.length === 0;
  }

  /** Takes a piece that belongs at `offset`. What is already here is dropped; false means that something before it is missing. */
  append(offset: number, piece: string): boolean {
    if (piece === "") return true;
    if (offset > this.length) return false;
    const fresh = offset === this.length ? piece : dropCodePoints(piece, this.length - offset);
    if (fresh === "") return true;
    const wasEmpty = this.length === 0;
    this.pieces.push(fresh);
    this.length += codePoints(fresh);
    for (const listener of this.listeners) listener(fresh);
    if (wasEmpty) for (const listener of this.firsts) listener();
    return true;
  }

  private readonly firsts = new Set<() => void>();

  /** Tells of each piece that comes. */
  onAppend(listener: (piece: string) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Tells when the first piece has come. */
  readonly onFirst = (listener: () => void): (() => void) => {
    this.firsts.add(listener);
    return () => this.firsts.delete(listener);
  };
}

/** The two texts of one response that a window shows. */
export class LiveResponse {
  readonly generation: number;
  readonly slot: number;
  readonly version: number;
  readonly thinking = new LiveText();
  readonly text = new LiveText();

  constructor(generation: number, slot: number, version: number) {
    this.generation = generation;
    this.slot = slot;
    this.version = version;
  }
}
