// The form of a server and its options, for the settings and for a model card, with Test and List models.

import { type ReactNode, useId, useState } from "react";
import { api } from "../api/client";
import type { ModelsView, ServerQuery, SettingsValues, SettingsView } from "../api/generated";
import { text } from "../messages";
import { attempt } from "../state/attempt";
import { use } from "../state/store";
import { number } from "../text/words";
import { DoctorTree } from "./doctor";
import { examine } from "./state/settings";

const PROVIDERS = ["gateway", "openai", "manual"] as const;
const POLICIES = ["refuse", "placeholder", "exclude"] as const;
const NUMBERS = ["n", "max_tokens", "context", "temperature", "temperature_spread", "seed", "history_cycles"] as const;
const ORDERS = ["numbered", "stable"] as const;
const YES_NO = ["true", "false"] as const;

export type Values = Readonly<Record<string, string>>;

interface Props {
  /** Whose key it is: a card's name, or "" for the settings. */
  card: string;
  start: Values;
  hasKey: boolean;
  settings: SettingsView;
  /** A card lacks some fields of the settings. */
  isCard: boolean;
  onSave: (values: Record<string, string>, key: string | null) => Promise<unknown>;
  children?: ReactNode;
}

export function ServerForm({ card, start, hasKey, settings, isCard, onSave, children }: Props) {
  const [values, setValues] = useState(start);
  const [key, setKey] = useState("");
  const [isForgotten, forget] = useState(false);
  const isBusy = use((state) => state.busy.has("settings"));
  const put = (name: string, value: string) => setValues({ ...values, [name]: value });
  const field = (name: string) => ({ value: values[name] ?? "", onChange: (value: string) => put(name, value) });
  /** An empty choice of a card means the value of the settings. What the settings would be without their own value is not known here. */
  const choice = (name: keyof SettingsValues) => ({
    ...field(name),
    fallback: isCard || !settings.kept[name] ? String(settings.values[name]) : null,
  });
  const provider = (values["provider"] || (isCard ? settings.values.provider : "gateway")) as ServerQuery["provider"];
  const url = values["url"] || settings.values.url;
  const query = {
    url,
    provider: provider ?? "gateway",
    key: isForgotten ? "" : key || null,
    card,
    model: values["model"] || null,
  };
  return (
    <form
      className="settings-form"
      onSubmit={(event) => {
        event.preventDefault();
        void onSave({ ...values }, isForgotten ? "" : key || null).then((done) => {
          if (done) setKey("");
          if (done) forget(false);
        });
      }}
    >
      {children}
      <Choice name="provider" choices={PROVIDERS} isOptional={isCard} {...choice("provider")} />
      {provider !== "manual" && (
        <>
          <Field name="url" placeholder={settings.values.url} {...field("url")} />
          <KeyField hasKey={hasKey && !isForgotten} value={key} onChange={setKey} onForget={() => forget(true)} />
          <Server
            query={query}
            canExamine={settings.can_examine}
            onModel={(model, context) => setValues({ ...values, model, ...(context ? { context } : {}) })}
          />
        </>
      )}
      <Field name="model" {...field("model")} />
      <details>
        <summary>{text.settings.more}</summary>
        <div className="settings-grid">
          {NUMBERS.map((name) => (
            <Field key={name} name={name} isNumber {...field(name)} />
          ))}
          <Field name="reasoning_effort" {...field("reasoning_effort")} />
          <Choice name="schema" choices={settings.schemas} isOptional {...choice("schema")} />
          <Choice name="section_order" choices={ORDERS} isOptional {...choice("section_order")} />
          <Choice name="images" choices={YES_NO} isOptional {...choice("images")} />
          <Field name="tokenizer" {...field("tokenizer")} />
          <Field name="extra_body" {...field("extra_body")} />
          <Field name="omit" {...field("omit")} />
          <Field name="headers" {...field("headers")} />
          {!isCard && <Choice name="secrets" choices={POLICIES} isOptional {...choice("secrets")} />}
          {!isCard && <Field name="exclude" {...field("exclude")} />}
        </div>
      </details>
      <div className="row">
        <button type="submit" className="primary" disabled={isBusy}>
          {text.settings.save}
        </button>
      </div>
    </form>
  );
}

interface FieldProps {
  name: keyof typeof text.settings.fields;
  value: string;
  onChange: (value: string) => void;
}

function Field({
  name,
  value,
  onChange,
  isNumber = false,
  placeholder = "",
}: FieldProps & { isNumber?: boolean; placeholder?: string }) {
  const id = useId();
  const { label, hint } = text.settings.fields[name];
  return (
    <div className="field">
      <label>
        <span>{label}</span>
        <input
          value={value}
          placeholder={placeholder}
          inputMode={isNumber ? "decimal" : undefined}
          autoComplete="off"
          spellCheck={false}
          aria-describedby={id}
          onChange={(event) => onChange(event.target.value)}
        />
      </label>
      <small id={id}>{hint}</small>
    </div>
  );
}

interface ChoiceProps extends FieldProps {
  choices: ReadonlyArray<string>;
  isOptional: boolean;
  /** The value in effect if none is chosen; null if that is not known. */
  fallback: string | null;
}

function Choice({ name, value, onChange, choices, isOptional, fallback }: ChoiceProps) {
  const { label, hint } = text.settings.fields[name];
  const id = useId();
  return (
    <div className="field">
      <label>
        <span>{label}</span>
        <select value={value} aria-describedby={id} onChange={(event) => onChange(event.target.value)}>
          {isOptional && <option value="">{text.settings.default(fallback)}</option>}
          {choices.map((choice) => (
            <option key={choice} value={choice}>
              {text.settings.choice(choice)}
            </option>
          ))}
        </select>
      </label>
      <small id={id}>{hint}</small>
    </div>
  );
}

function KeyField({
  hasKey,
  value,
  onChange,
  onForget,
}: {
  hasKey: boolean;
  value: string;
  onChange: (value: string) => void;
  onForget: () => void;
}) {
  const { label } = text.settings.fields.key;
  const id = useId();
  return (
    <div className="row key-row">
      <div className="field">
        <label>
          <span>{label}</span>
          <input
            type="password"
            autoComplete="off"
            value={value}
            placeholder={hasKey ? text.settings.hasKey : text.settings.noKey}
            aria-describedby={id}
            onChange={(event) => onChange(event.target.value)}
          />
        </label>
        <small id={id}>{text.settings.fields.key.hint}</small>
      </div>
      {hasKey && (
        <button type="button" onClick={onForget}>
          {text.settings.deleteKey}
        </button>
      )}
    </div>
  );
}

interface ServerProps {
  query: Omit<ServerQuery, "run">;
  canExamine: boolean;
  onModel: (model: string, context: string) => void;
}

/** Test and List models, for the address in the form, saved or not. */
function Server({ query, canExamine, onModel }: ServerProps) {
  const isExamining = use((state) => state.busy.has("examine"));
  const isAsking = use((state) => state.busy.has("models"));
  const [served, setServed] = useState<ModelsView | null>(null);
  const ask = () => attempt("models", async () => setServed(await api.models(query)));
  return (
    <div className="server">
      <div className="row">
        {canExamine && (
          <button type="button" disabled={isExamining} onClick={() => examine(query)}>
            {isExamining ? text.settings.testing : text.settings.test}
          </button>
        )}
        <button type="button" disabled={isAsking} onClick={ask}>
          {text.settings.query}
        </button>
      </div>
      <DoctorTree />
      {served && (
        <ul className="served" aria-label={text.settings.served}>
          {served.models.map((model) => (
            <li key={model.id}>
              <button
                type="button"
                className="quiet"
                onClick={() => onModel(model.id, model.context === null ? "" : String(model.context))}
              >
                {model.id}
                <span className="muted">
                  {model.context === null ? text.settings.noContext : text.settings.context(number(model.context))}
                </span>
              </button>
            </li>
          ))}
          {served.models.length === 0 && <li className="muted">{text.settings.nothingServed}</li>}
        </ul>
      )}
    </div>
  );
}
