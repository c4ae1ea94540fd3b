// The language of the page: the first of the browser's languages that the panel speaks, else English.

export const LANGUAGES = ["en"] as const;
export type Language = (typeof LANGUAGES)[number];

/** `wanted`: language tags such as `de-CH`, the preferred one first. */
export function languageOf(wanted: ReadonlyArray<string>, known: ReadonlyArray<string> = LANGUAGES): string {
  const codes = wanted.map((tag) => tag.toLowerCase().split("-", 1)[0]);
  return codes.find((code) => code !== undefined && known.includes(code)) ?? "en";
}

export const language = languageOf(globalThis.navigator?.languages ?? []) as Language;
