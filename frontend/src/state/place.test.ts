import { expect, test } from "vitest";
import { NOWHERE, type Place, readPlace, writePlace } from "./place";

test("a place is read as it was written", () => {
  const places: Place[] = [
    NOWHERE,
    { ...NOWHERE, cycle: 0 },
    { ...NOWHERE, cycle: 2, generation: 3 },
    { ...NOWHERE, cycle: 2, generation: 3, slot: 4, facet: "diff" },
    { ...NOWHERE, generation: 3, slot: 10 },
    { ...NOWHERE, cycle: 1, pane: "settings", detail: "cards/a name!/x" },
    { ...NOWHERE, pane: "history", detail: "grüße 100 %" },
  ];
  for (const place of places) expect(readPlace(writePlace(place))).toStrictEqual(place);
});

test("an address that is none is nowhere, and never throws", () => {
  for (const hash of ["", "#", "#nonsense", "#c1/r2", "#!", "#!nothing/here", "#c1/g2/r3/unknown"]) {
    expect(readPlace(hash).pane).toBe(null);
    expect(readPlace(hash).facet).toBe("answer");
  }
  expect(readPlace("#!history/%").detail).toBe("%");
});
