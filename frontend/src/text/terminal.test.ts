import assert from "node:assert/strict";
import { test } from "node:test";
import { plainText } from "./terminal";

test("colours, links and titles go, the text stays", () => {
  assert.equal(plainText("\u001b[1;31mFAILED\u001b[0m test_a\u001b[K"), "FAILED test_a");
  assert.equal(plainText("\u001b]8;;http://x\u0007here\u001b]8;;\u0007"), "here");
  assert.equal(plainText("\u001b]0;title\u001b\\done"), "done");
  assert.equal(plainText("grüße, 世界 🎉\ttab"), "grüße, 世界 🎉\ttab");
});

test("a line that was written over is as it stood last, whatever the line ends", () => {
  assert.equal(plainText(" 10%\r 50%\r100%\nnext\r\nlast\r"), "100%\nnext\nlast");
});

test("half a sequence at the cut end of an output does no harm", () => {
  assert.equal(plainText("a\u001b["), "a[");
  assert.equal(plainText("31mred\u0000"), "31mred");
});
