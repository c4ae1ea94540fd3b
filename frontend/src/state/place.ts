// What the window shows, as its address: `#c2/g3/r4/diff!settings/cards` is the diff of response 4 of generation 3 of cycle 2,
// with the settings' cards over it. Every part is optional. A reload and the back button lead to the same place.

export const FACETS = ["answer", "diff", "checks", "pick", "raw"] as const;
/** A view of one response. */
export type Facet = (typeof FACETS)[number];

export const PANES = ["prompt", "settings", "history", "manual", "checks"] as const;
/** A screen over the main view. */
export type Pane = (typeof PANES)[number];

export interface Place {
  readonly cycle: number | null;
  readonly generation: number | null;
  /** null: the board. */
  readonly slot: number | null;
  readonly facet: Facet;
  readonly pane: Pane | null;
  /** The place within the pane, in its own notation. */
  readonly detail: string;
}

export const NOWHERE: Place = { cycle: null, generation: null, slot: null, facet: "answer", pane: null, detail: "" };

const MAIN = /^(?:c(\d+))?\/?(?:g(\d+)(?:\/r(\d+)(?:\/(\w+))?)?)?$/;

const numberOf = (digits: string | undefined) => (digits === undefined ? null : Number(digits));

const encoded = (part: string) => encodeURIComponent(part).replaceAll("!", "%21");

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part; // an address typed by hand
  }
}

export function readPlace(hash: string): Place {
  const [main = "", pane = ""] = hash.replace(/^#/, "").split("!", 2);
  const match = MAIN.exec(main);
  const [name, ...detail] = pane.split("/");
  return {
    cycle: numberOf(match?.[1]),
    generation: numberOf(match?.[2]),
    slot: numberOf(match?.[3]),
    facet: FACETS.find((facet) => facet === match?.[4]) ?? "answer",
    pane: PANES.find((known) => known === name) ?? null,
    detail: detail.map(decoded).join("/"),
  };
}

export function writePlace({ cycle, generation, slot, facet, pane, detail }: Place): string {
  const parts = [
    ...(cycle === null ? [] : [`c${cycle}`]),
    ...(generation === null ? [] : [`g${generation}`]),
    ...(generation === null || slot === null ? [] : [`r${slot}`, ...(facet === "answer" ? [] : [facet])]),
  ];
  const over = pane === null ? "" : `!${[pane, ...(detail ? detail.split("/").map(encoded) : [])].join("/")}`;
  return `#${parts.join("/")}${over}`;
}
