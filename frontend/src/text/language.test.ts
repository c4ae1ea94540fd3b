import { expect, test } from "vitest";
import { languageOf } from "./language";

test("the first of the browser's languages that the panel speaks is taken, in any regional form; else English", () => {
  const known = ["en", "de"];
  expect(languageOf(["de-CH", "en"], known)).toBe("de");
  expect(languageOf(["fr", "EN-gb", "de"], known)).toBe("en");
  expect(languageOf(["fr"], known)).toBe("en");
  expect(languageOf([], known)).toBe("en");
});
