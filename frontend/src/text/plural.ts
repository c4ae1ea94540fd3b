// English plurals. Another language has grammar of its own, used by its own messages only.

import { number } from "./words";

export const plural = (count: number, noun: string) => `${number(count)} ${noun}${count === 1 ? "" : "s"}`;
