// The address: `#g3/r4/diff` is response 4 of generation 3 with its diff; `#g3` its board. Survives a reload and the back button.

import type { Facet, Place } from "./store";

export function readPlace(hash: string): Place {
  const match = /^#g(\d+)(?:\/r(\d+)(?:\/(answer|diff|raw))?)?$/.exec(hash);
  return {
    generation: match?.[1] ? Number(match[1]) : null,
    slot: match?.[2] ? Number(match[2]) : null,
    facet: (match?.[3] as Facet | undefined) ?? "answer",
  };
}

export function writePlace(place: Place): string {
  if (place.generation === null) return "#";
  if (place.slot === null) return `#g${place.generation}`;
  return `#g${place.generation}/r${place.slot}${place.facet === "answer" ? "" : `/${place.facet}`}`;
}
