// Whether a cycle's texts, and on a narrow screen the files, are collapsed to a line: as soon as there are responses, unless the curator
// expands them.

import { cell } from "../../state/cell";
import { store, stored } from "../../state/windowstate";

const NAME = "texts opened";
/** The cycle whose texts the curator expanded. */
const opened = cell<number | null>(stored<number | null>(NAME, null));

export interface Texts {
  readonly cycle: number;
  /** Whether there are responses. */
  readonly hasResponses: boolean;
  /** Whether the cycle has no text yet, or there is a conflict between two texts. */
  readonly isWanting: boolean;
}

export const isFolded = ({ cycle, hasResponses, isWanting }: Texts, openedCycle: number | null): boolean =>
  hasResponses && !isWanting && openedCycle !== cycle;

export const useFolded = (texts: Texts): boolean => isFolded(texts, opened.use());

function put(cycle: number | null): void {
  store(NAME, cycle, null);
  opened.set(cycle);
}

/** Keeps the texts expanded while someone types in them. */
export const unfold = (cycle: number): void => put(cycle);

/** Collapses the texts after Generate, to leave room for the responses. */
export const fold = (): void => put(null);
