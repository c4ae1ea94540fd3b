// A text that grows, stored in pieces: the cost is linear in its length, not quadratic.
//
// The panel's offsets are in code points, JavaScript's strings in UTF-16 units. The length here is in code points.

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

  /** Appends a piece that belongs at `offset`, without any part that is already here. False: something before it is missing. */
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

  /** Calls back with each new piece. */
  onAppend(listener: (piece: string) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Calls back when the first piece has arrived. */
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
