// Where a window stands in the panel's numbered events. Frames may come twice or from another window; none may be missing unnoticed.

export interface Frame {
  /** `RUN:SEQ`: which run of the panel, which event of it. */
  readonly id: string;
  readonly name: string;
  readonly data: string;
}

/** `reset`: something before it is missing, or the panel is another one, so everything has to be loaded again. */
export type Verdict = "apply" | "drop" | "reset";

export class Sequence {
  private run = "";
  private seq = 0;

  get cursor(): string {
    return `${this.run}:${this.seq}`;
  }

  /** Goes on after a cursor: that of a snapshot. */
  start(cursor: string): void {
    const [run = "", seq = "0"] = cursor.split(":");
    this.run = run;
    this.seq = Number(seq);
  }

  take({ id, name }: Frame): Verdict {
    const [run, digits] = id.split(":");
    const seq = Number(digits);
    if (run === this.run && seq <= this.seq) return "drop";
    const isNext = run === this.run && seq === this.seq + 1 && name !== "reset";
    this.start(id);
    return isNext ? "apply" : "reset";
  }
}
