import { expect, test } from "vitest";
import { Sequence } from "./sequence";

const frame = (id: string, name = "slot_text") => ({ id, name, data: "{}" });

test("each event is applied once, in order, whoever brings it", () => {
  const sequence = new Sequence();
  sequence.start("a:2");
  const ids = ["a:1", "a:2", "a:3", "a:3", "a:4", "a:2", "a:5"];
  const verdicts = ids.map((id) => sequence.take(frame(id)));
  expect(verdicts).toStrictEqual(["drop", "drop", "apply", "drop", "apply", "drop", "apply"]);
  expect(sequence.cursor).toBe("a:5");
});

test("a gap, another run and the panel's own word each begin anew, and go on from there", () => {
  for (const [id, name] of [
    ["a:9", "slot_text"],
    ["b:1", "slot_text"],
    ["a:4", "reset"],
  ] as const) {
    const sequence = new Sequence();
    sequence.start("a:3");
    expect(sequence.take(frame(id, name))).toBe("reset");
    expect(sequence.cursor).toBe(id);
    const [run, seq] = id.split(":");
    expect(sequence.take(frame(`${run}:${Number(seq) + 1}`))).toBe("apply");
  }
});

test("who has seen everything takes no reset that another window needed", () => {
  const sequence = new Sequence();
  sequence.start("a:7");
  expect(sequence.take(frame("a:7", "reset"))).toBe("drop");
});
