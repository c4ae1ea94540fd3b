// Whether the files are collapsed on a narrow screen, where files, cycle and responses share one column.

import { cell } from "../../state/cell";
import { store, stored } from "../../state/windowstate";

const FILES = "files opened";
const filesOpened = cell<boolean | null>(stored<boolean | null>(FILES, null));

/** On a narrow screen, files, cycle and responses share one column, so the files also collapse once there are responses. */
export const useFilesFolded = (hasResponses: boolean): boolean => !(filesOpened.use() ?? !hasResponses);

function putFiles(isOpen: boolean): void {
  store(FILES, isOpen, null);
  filesOpened.set(isOpen);
}

export const openFiles = (): void => putFiles(true);
export const foldFiles = (): void => putFiles(false);
