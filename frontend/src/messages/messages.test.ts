import { expect, test } from "vitest";
import { type Catalogue, text } from "./index";

test("a language has other words and every text: one that lacks a text or takes other values does not compile", () => {
  const { board, steps } = text;
  const german: Catalogue = { ...text, steps: { ...steps, label: "Schritte" } };
  expect(german.steps.label).toBe("Schritte");
  // @ts-expect-error a text is missing
  const lacking: Catalogue["steps"] = { label: "Schritte" };
  // @ts-expect-error the number is missing from the text's type
  const deaf: Catalogue["board"] = { ...board, pass: (passed: string) => passed };
  expect([lacking, deaf]).toHaveLength(2);
});
