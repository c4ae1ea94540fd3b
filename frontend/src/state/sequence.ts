// A window's position in the panel's numbered events. Events may arrive twice or through another window, but a gap must be noticed.

export interface Frame {
  /** `RUN:SEQ`: the run of the panel and the number of the event. */
  readonly id: string;
  readonly name: string;
  readonly data: string;
}

/** `reset`: an event is missing, or the panel was restarted, so everything must be reloaded. */
export type Verdict = "apply" | "drop" | "reset";

export class Sequence {
  private run = "";
  private seq = 0;

  get cursor(): string {
    return `${this.run}:${this.seq}`;
  }

  /** Continues after a snapshot's cursor. */
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
