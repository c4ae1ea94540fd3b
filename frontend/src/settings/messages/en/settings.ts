// Settings, model cards, the doctor.

interface Field {
  readonly label: string;
  readonly hint: string;
}

const fields = {
  provider: { label: "Server type", hint: "" },
  url: {
    label: "Server URL",
    hint: "The server’s base address, its /v1, or the full address of a route. Formerly “Remote Generation URL”.",
  },
  key: { label: "Key", hint: "Stored where only you can read it; never shown again, never committed." },
  model: { label: "Model", hint: "Empty: the server’s default." },
  n: { label: "Responses", hint: "How many responses Generate asks for: 1 to 20." },
  max_tokens: { label: "Max output tokens", hint: "Empty: the server’s own limit." },
  context: { label: "Context", hint: "In tokens; needed only where the server does not report it." },
  temperature: { label: "Temperature", hint: "0 to 2. Empty: the server’s default." },
  temperature_spread: { label: "Temperature spread", hint: "How far apart the responses’ temperatures are." },
  seed: { label: "Seed", hint: "Seed of the first response; the others count up from it." },
  reasoning_effort: { label: "Reasoning effort", hint: "low, medium or high, where the model supports it." },
  schema: { label: "Answer format", hint: "How the model is asked to write its files." },
  secrets: { label: "Secrets", hint: "What to do with possible secrets in a prompt for another host." },
  history_cycles: {
    label: "Full cycles in the prompt",
    hint: "How many cycles before the current one; older cycles get one line each.",
  },
  section_order: {
    label: "Section order",
    hint: "With stable sections first, the next cycle’s first token comes sooner: the server has most of the prompt cached.",
  },
  images: { label: "Send images", hint: "Sends selected images with the prompt, for models that accept them." },
  extra_body: {
    label: "Extra fields",
    hint: 'Fields added to every request for responses, as a JSON object such as {"top_k": 20}.',
  },
  omit: {
    label: "Omitted fields",
    hint: "Fields that this server refuses, separated by commas: they are left out of every request.",
  },
  headers: {
    label: "Headers",
    hint: 'A JSON object such as {"X-Team": "a"}. For a secret write ${NAME}, an environment variable of the panel; its value is never stored or shown.',
  },
  tokenizer: {
    label: "tokenizer.json",
    hint: "The model’s own, a path or a URL: tokens are then counted on this machine.",
  },
  exclude: { label: "Never in a prompt", hint: "Patterns as in .gitignore, separated by commas." },
} as const satisfies Readonly<Record<string, Field>>;

const choices: Readonly<Record<string, string>> = {
  gateway: "DCE gateway",
  openai: "OpenAI-compatible server",
  manual: "Manual (copy and paste)",
  refuse: "Refuse to send",
  placeholder: "Send placeholders",
  exclude: "Exclude their files",
  numbered: "Numbered",
  stable: "Stable sections first",
  true: "Yes",
  false: "No",
};

const choice = (value: string) => choices[value] ?? value;

const verdicts = { well: "ok:", warning: "warning:", failed: "failed:", untried: "not tried:" } as const;

const notes = {
  manual: () => "Nothing is sent: you copy the prompt and paste the answers.",
  local: () => "Prompts stay on this machine.",
  agreed: (host: string) => `Prompts go to ${host}; you agreed to that.`,
  unagreed: (host: string) => `Prompts would go to ${host}; you will be asked before the first one is sent.`,
} as const;

export const settings = {
  fields: fields as Readonly<Record<keyof typeof fields, Field>>,
  choice,
  verdicts,
  server: "Server",
  serverNote: "Saved in .dce/config.toml, which can be committed. The key is not in it.",
  overridden: (names: ReadonlyArray<string>) =>
    `Not in effect, because an environment variable, a flag or the default card overrides them: ${names.join(", ")}.`,
  more: "Advanced",
  default: (value: string | null) => (value === null ? "Default" : `Default (${choice(value)})`),
  save: "Save",
  saved: "Saved.",
  hasKey: "A key is stored; type to replace it",
  noKey: "No key",
  deleteKey: "Delete the key",
  test: "Test",
  testing: "Testing…",
  query: "List models",
  served: "Served models",
  nothingServed: "The server lists no models.",
  context: (tokens: string) => `${tokens} tokens`,
  noContext: "context unknown",
  tree: "Hops from here to the model",
  examining: "Testing one hop after another…",
  allWell: "All hops work: the model sent a token.",
  atFault: (hop: string, code: string) => `The ${hop} is at fault (${code}).`,
  fix: (fix: string) => `Fix: ${fix}`,
  cards: "Model cards",
  cardsNote: "Named groups of settings. A cycle names the card of the model and the settings that it uses.",
  newCard: "New card",
  cardName: "Name",
  cardNameHint: "Letters, digits, - and _.",
  cardWhat: (provider: string, url: string, model: string) =>
    provider === "manual"
      ? choice(provider)
      : url === ""
        ? "Small model on this machine, started when it is used"
        : `${model ? `${model}, ` : ""}${choice(provider)}, ${url}`,
  isDefault: "default",
  edit: "Edit",
  editCard: (name: string) => `Edit the card ${name}`,
  setDefault: "Make default",
  unsetDefault: "Clear default",
  makeDefault: (name: string) => `Make default: ${name}`,
  clearDefault: (name: string) => `Clear default: ${name}`,
  delete: "Delete",
  deleteCard: (name: string) => `Delete the card ${name}`,
  allSettings: "All settings",
  where: "Where this cycle’s prompt goes",
  hostNote: (kind: keyof typeof notes, host: string) => notes[kind](host),
  notice: (host: string) => `Privacy notice of ${host}`,
  fetchNotice: (host: string) => `Fetch the privacy notice of ${host}`,
  contact: (message: string) => `${message} Contact it?`,
  noNotice: "This server states no retention policy.",
  look: "Appearance in this browser",
};
