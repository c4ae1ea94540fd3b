// Whether a cycle's texts, and on a narrow screen the files, are folded to a line: once there are responses to look at, unless the
// curator opens them.

import { cell } from "./cell";
import { keep, kept } from "./kept";

const NAME = "texts opened";
/** The cycle whose texts the curator opened. */
const opened = cell<number | null>(kept<number | null>(NAME, null));

export interface Texts {
  readonly cycle: number;
  /** Whether there are responses to look at. */
  readonly hasResponses: boolean;
  /** Whether nothing says yet what the cycle is to do, or both of two texts want to be kept. */
  readonly isWanting: boolean;
}

export const isFolded = ({ cycle, hasResponses, isWanting }: Texts, openedCycle: number | null): boolean =>
  hasResponses && !isWanting && openedCycle !== cycle;

export const useFolded = (texts: Texts): boolean => isFolded(texts, opened.use());

function put(cycle: number | null): void {
  keep(NAME, cycle, null);
  opened.set(cycle);
}

/** Opened stays open while it is written in: nothing closes under the hands. */
export const unfold = (cycle: number): void => put(cycle);

/** As it follows from what there is: after Generate, the responses have the room. */
export const fold = (): void => put(null);

const FILES = "files opened";
const filesOpened = cell<boolean | null>(kept<boolean | null>(FILES, null));

/** On a narrow screen files, cycle and responses share one column: there the files fold once there are responses, too. */
export const useFilesFolded = (hasResponses: boolean): boolean => !(filesOpened.use() ?? !hasResponses);

function putFiles(isOpen: boolean): void {
  keep(FILES, isOpen, null);
  filesOpened.set(isOpen);
}

export const openFiles = (): void => putFiles(true);
export const foldFiles = (): void => putFiles(false);
