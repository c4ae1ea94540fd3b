import assert from "node:assert/strict";
import { test } from "node:test";
import { Sequence } from "./sequence";

const frame = (id: string, name = "slot_text") => ({ id, name, data: "{}" });

test("each event is applied once, in order, whoever brings it", () => {
  const sequence = new Sequence();
  sequence.start("a:2");
  const ids = ["a:1", "a:2", "a:3", "a:3", "a:4", "a:2", "a:5"];
  const verdicts = ids.map((id) => sequence.take(frame(id)));
  assert.deepEqual(verdicts, ["drop", "drop", "apply", "drop", "apply", "drop", "apply"]);
  assert.equal(sequence.cursor, "a:5");
});

test("a gap, another run and the panel's own word each begin anew, and go on from there", () => {
  for (const [id, name] of [
    ["a:9", "slot_text"],
    ["b:1", "slot_text"],
    ["a:4", "reset"],
  ] as const) {
    const sequence = new Sequence();
    sequence.start("a:3");
    assert.equal(sequence.take(frame(id, name)), "reset");
    assert.equal(sequence.cursor, id);
    const [run, seq] = id.split(":");
    assert.equal(sequence.take(frame(`${run}:${Number(seq) + 1}`)), "apply");
  }
});

test("who has seen everything takes no reset that another window needed", () => {
  const sequence = new Sequence();
  sequence.start("a:7");
  assert.equal(sequence.take(frame("a:7", "reset")), "drop");
});
