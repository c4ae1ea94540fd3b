// Every visible text of the panel, by area: `text.<area>.<name>`. Components contain none (checked by `npm run check`).
//
// Each area keeps its texts in `messages/<language>`; one file here for each language puts them together.

import { type Language, language } from "../text/language";
import { en } from "./en";

/** The shape of English, whatever the words: what TypeScript infers as one text of several may be any. */
type Worded<T> = T extends string
  ? string
  : T extends (...values: infer Values) => infer Result
    ? (...values: Values) => Worded<Result>
    : T extends object
      ? { readonly [Name in keyof T]: Worded<T[Name]> }
      : T;

/** All texts of one language: a language that lacks one, or takes other values, does not compile. */
export type Catalogue = Worded<typeof en>;

const CATALOGUES: Readonly<Record<Language, Catalogue>> = { en };

export const text: Catalogue = CATALOGUES[language];
