// The settings: the server, model cards, where prompts go, and the appearance in this browser.

import { useEffect, useState } from "react";
import { api } from "../api/client";
import type { CardView, HostView, SettingsView } from "../api/generated";
import { Plus } from "../kit/icons";
import { PaneScreen } from "../kit/pane";
import { ThemeChoice } from "../kit/themechoice";
import { text } from "../messages";
import { notify, use } from "../state/store";
import { openPane } from "../state/window";
import { HostNotice } from "./hostnotice";
import { ServerForm } from "./serverform";
import { deleteCard, forgetExamination, loadSettings, saveCard, saveSettings } from "./state/settings";

export function SettingsScreen() {
  const settings = use((state) => state.settings);
  const detail = use((state) => state.place.detail);
  useEffect(() => {
    void loadSettings();
    return forgetExamination;
  }, [detail]);
  return (
    <PaneScreen title={text.shell.screens.settings} className="settings">
      {settings === null ? (
        <p className="empty">{text.shell.loading}</p>
      ) : detail === "new" || detail.startsWith("card/") ? (
        <CardEditor key={detail} settings={settings} name={detail.slice("card/".length)} />
      ) : (
        <Overview settings={settings} />
      )}
    </PaneScreen>
  );
}

const saved = async (work: Promise<unknown>): Promise<boolean> => {
  const isDone = (await work) !== false;
  if (isDone) notify({ kind: "done", text: text.settings.saved });
  return isDone;
};

function Overview({ settings }: { settings: SettingsView }) {
  const { kept, overridden } = settings;
  const start = { ...kept, provider: kept["provider"] ?? "gateway" };
  return (
    <>
      <section className="card" aria-labelledby="server-title">
        <h3 id="server-title">{text.settings.server}</h3>
        <p className="muted">{text.settings.serverNote}</p>
        {overridden.length > 0 && <p className="banner">{text.settings.overridden(overridden)}</p>}
        <ServerForm
          card=""
          isCard={false}
          start={start}
          hasKey={settings.has_key}
          settings={settings}
          onSave={(values, key) => saved(saveSettings(changed(kept, values), key))}
        />
      </section>
      <section className="card" aria-labelledby="cards-title">
        <div className="row">
          <h3 id="cards-title">{text.settings.cards}</h3>
          <button type="button" className="push" onClick={() => openPane("settings", "new")}>
            <Plus /> {text.settings.newCard}
          </button>
        </div>
        <p className="muted">{text.settings.cardsNote}</p>
        <ul className="cards">
          {settings.cards.map((card) => (
            <CardRow key={card.name} card={card} isDefault={settings.values.card === card.name} />
          ))}
        </ul>
      </section>
      <Where />
      <section className="card" aria-labelledby="look-title">
        <h3 id="look-title">{text.settings.look}</h3>
        <ThemeChoice />
      </section>
    </>
  );
}

/** Only the values that differ from config.toml; an emptied field is removed from it. */
function changed(
  kept: Readonly<Record<string, string>>,
  values: Readonly<Record<string, string>>,
): Record<string, string> {
  return Object.fromEntries(Object.entries(values).filter(([name, value]) => value !== (kept[name] ?? "")));
}

function CardRow({ card, isDefault }: { card: CardView; isDefault: boolean }) {
  const isBusy = use((state) => state.busy.has("settings"));
  return (
    <li className="row">
      <span className="card-name">{card.name}</span>
      <span className="muted card-what">
        {text.settings.cardWhat(card.provider, card.url, card.values["model"] ?? "")}
      </span>
      {isDefault && <span className="badge">{text.settings.isDefault}</span>}
      <span className="push row">
        {!card.is_built_in && (
          <button
            type="button"
            aria-label={text.settings.editCard(card.name)}
            onClick={() => openPane("settings", `card/${card.name}`)}
          >
            {text.settings.edit}
          </button>
        )}
        {/* A server that the panel starts cannot be the default of other programs. */}
        {(!card.is_built_in || card.provider === "manual") && (
          <button
            type="button"
            disabled={isBusy}
            aria-label={isDefault ? text.settings.clearDefault(card.name) : text.settings.makeDefault(card.name)}
            onClick={() => saveSettings({ card: isDefault ? "" : card.name }, null)}
          >
            {isDefault ? text.settings.unsetDefault : text.settings.setDefault}
          </button>
        )}
        {!card.is_built_in && (
          <button
            type="button"
            disabled={isBusy}
            aria-label={text.settings.deleteCard(card.name)}
            onClick={() => deleteCard(card.name)}
          >
            {text.settings.delete}
          </button>
        )}
      </span>
    </li>
  );
}

function CardEditor({ settings, name }: { settings: SettingsView; name: string }) {
  const card = settings.cards.find((each) => each.name === name && !each.is_built_in);
  const [wanted, setWanted] = useState(name);
  return (
    <section className="card" aria-labelledby="card-title">
      <h3 id="card-title">{card ? text.settings.editCard(name) : text.settings.newCard}</h3>
      <ServerForm
        card={card ? name : ""}
        isCard
        start={card?.values ?? {}}
        hasKey={card?.has_key ?? false}
        settings={settings}
        onSave={async (values, key) => {
          const isDone = await saved(saveCard(wanted.trim(), values, key));
          if (isDone) openPane("settings");
          return isDone;
        }}
      >
        <div className="field">
          <label>
            <span>{text.settings.cardName}</span>
            <input
              value={wanted}
              readOnly={card !== undefined}
              required
              pattern="[A-Za-z0-9][A-Za-z0-9_\-]*"
              onChange={(event) => setWanted(event.target.value)}
            />
          </label>
          <small>{text.settings.cardNameHint}</small>
        </div>
      </ServerForm>
      <div className="row">
        <button type="button" onClick={() => openPane("settings")}>
          {text.settings.allSettings}
        </button>
      </div>
    </section>
  );
}

/** The host that this cycle's prompt goes to, and its privacy notice. */
function Where() {
  const cycle = use((state) => state.place.cycle);
  const settings = use((state) => state.settings);
  const [host, setHost] = useState<HostView | null>(null);
  useEffect(() => {
    let isCurrent = true;
    if (cycle !== null)
      api.host(cycle).then(
        (view) => isCurrent && setHost(view),
        () => null,
      );
    return () => {
      isCurrent = false;
    };
  }, [cycle, settings]);
  return (
    <section className="card" aria-labelledby="where-title" aria-busy={host === null}>
      <h3 id="where-title">{text.settings.where}</h3>
      {host && <HostNote host={host} />}
    </section>
  );
}

function HostNote({ host }: { host: HostView }) {
  const kind = host.provider === "manual" ? "manual" : host.is_local ? "local" : host.is_agreed ? "agreed" : "unagreed";
  return (
    <>
      <p>{text.settings.hostNote(kind, host.host)}</p>
      <HostNotice host={host} />
    </>
  );
}
