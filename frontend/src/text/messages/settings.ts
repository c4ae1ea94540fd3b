// Settings, model cards, the doctor.

interface Field {
  readonly label: string;
  readonly hint: string;
}

const fields = {
  provider: { label: "What is there", hint: "" },
  url: { label: "Remote Generation URL", hint: "The server’s base address, its /v1, or the full path of a route." },
  key: { label: "Key", hint: "Kept where only you can read it; never shown again, never committed." },
  model: { label: "Model", hint: "Empty: the server’s default." },
  n: { label: "Responses", hint: "How many Generate asks for: 1 to 20." },
  max_tokens: { label: "Longest answer", hint: "In tokens; empty: the server’s own limit." },
  context: { label: "Context", hint: "In tokens; only where the server does not tell it." },
  temperature: { label: "Temperature", hint: "0 to 2; empty: the server’s." },
  temperature_spread: { label: "Temperature spread", hint: "How far apart the responses’ temperatures lie." },
  seed: { label: "Seed", hint: "Of the first response; each other has its own after it." },
  reasoning_effort: { label: "Reasoning effort", hint: "low, medium or high, where the model has it." },
  schema: { label: "Answer form", hint: "How the model is asked to write its files." },
  secrets: { label: "Secrets", hint: "What is done about secrets in a prompt for another host." },
  history_cycles: { label: "Cycles told whole", hint: "How many before the current one; of older ones the prompt has a line each." },
  section_order: { label: "Sections of the prompt", hint: "With what stays first, the next cycle’s first token comes sooner: the server has most of the prompt cached." },
  images: { label: "Send pictures", hint: "Selected ones go along, for a model that can see." },
  tokenizer: { label: "tokenizer.json", hint: "The model’s own, a path or an address: tokens are then counted here." },
  exclude: { label: "Never in a prompt", hint: "Patterns as in .gitignore, with commas between." },
} as const satisfies Readonly<Record<string, Field>>;

const choices: Readonly<Record<string, string>> = {
  gateway: "A DCE gateway",
  openai: "Any OpenAI-compatible server",
  manual: "Nothing: answers are carried by hand",
  refuse: "Refuse to send them",
  placeholder: "Send placeholders in their places",
  exclude: "Leave their files out",
  numbered: "By number",
  stable: "What stays the same first",
  true: "Yes",
  false: "No",
};

const verdicts = { well: "well:", warning: "works, but:", failed: "failed:", untried: "not tried:" } as const;

const notes = {
  manual: () => "Nothing is sent: you carry the prompt and the answers yourself.",
  local: () => "The server is on this machine: nothing leaves it, as far as we can know.",
  agreed: (host: string) => `Prompts go to ${host}; you agreed to that.`,
  unagreed: (host: string) => `Prompts would go to ${host}; you are asked before the first one does.`,
} as const;

export const settings = {
  fields: fields as Readonly<Record<keyof typeof fields, Field>>,
  choices,
  verdicts,
  server: "Server",
  serverNote: "Written to .dce/config.toml, which can be committed; the key is not in it.",
  overridden: (names: ReadonlyArray<string>) =>
    `Outranked by a variable, a flag or the default card, so not in force: ${names.join(", ")}.`,
  more: "How it is asked",
  asSet: "as otherwise set",
  save: "Save",
  saved: "Saved; in force from now on.",
  keyKept: "A key is kept; type to replace it",
  keyNone: "No key",
  forgetKey: "Forget the key",
  test: "Test",
  testing: "Testing…",
  query: "What does it serve?",
  served: "Served models",
  nothingServed: "It serves no model.",
  context: (tokens: string) => `${tokens} tokens`,
  noContext: "context not told",
  tree: "Hops from here to the model",
  examining: "Looking at one hop after the other…",
  allWell: "All is well: a token came through every hop.",
  atFault: (hop: string, code: string) => `The ${hop} is at fault (${code}).`,
  fix: (fix: string) => `Fix: ${fix}`,
  cards: "Model cards",
  cardsNote: "Named bundles of settings, so that a cycle says in one word by which model and how it generates.",
  newCard: "New card",
  cardName: "Name",
  cardNameHint: "Letters, digits, - and _.",
  cardWhat: (provider: string, url: string, model: string) =>
    provider === "manual" ? choices["manual"] : url === "" ? "the small model on this machine, started when it is used" : `${model ? `${model}, ` : ""}${choices[provider]?.toLowerCase()}, ${url}`,
  isDefault: "default",
  edit: "Edit",
  editCard: (name: string) => `Edit the card ${name}`,
  setDefault: "Make default",
  unsetDefault: "Not default",
  makeDefault: (name: string) => `Make default: ${name}`,
  notDefault: (name: string) => `Not default: ${name}`,
  delete: "Delete",
  deleteCard: (name: string) => `Delete the card ${name}`,
  allSettings: "All settings",
  where: "Where this cycle’s prompt goes",
  hostNote: (kind: keyof typeof notes, host: string) => notes[kind](host),
  notice: (host: string) => `What ${host} says it keeps`,
  fetchNotice: (host: string) => `Fetch the privacy notice of ${host}`,
  contact: (message: string) => `${message} Contact it?`,
  noNotice: "The host tells nothing about what it keeps.",
  look: "In this browser",
};
