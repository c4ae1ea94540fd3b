import { expect, test } from "vitest";
import { plainText } from "./terminal";

test("colours, links and titles go, the text stays", () => {
  expect(plainText("\u001b[1;31mFAILED\u001b[0m test_a\u001b[K")).toBe("FAILED test_a");
  expect(plainText("\u001b]8;;http://x\u0007here\u001b]8;;\u0007")).toBe("here");
  expect(plainText("\u001b]0;title\u001b\\done")).toBe("done");
  expect(plainText("grüße, 世界 🎉\ttab")).toBe("grüße, 世界 🎉\ttab");
});

test("a line that was written over is as it stood last, whatever the line ends", () => {
  expect(plainText(" 10%\r 50%\r100%\nnext\r\nlast\r")).toBe("100%\nnext\nlast");
});

test("half a sequence at the cut end of an output does no harm", () => {
  expect(plainText("a\u001b[")).toBe("a[");
  expect(plainText("31mred\u0000")).toBe("31mred");
});
