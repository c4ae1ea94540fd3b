// The exact prompt, section by section, with what each part costs.

import { useEffect, useMemo, useRef, useState } from "react";
import { api, errorBody } from "../api/client";
import type { ErrorBody, PromptView, SectionView } from "../api/generated";
import { dropCodePoints } from "../text/livetext";
import { number } from "../text/words";
import { Dialog } from "./dialog";
import { ErrorLine } from "./notices";

const TITLES: Readonly<Record<string, string>> = {
  M1: "schema",
  M2: "overview",
  M3: "answer form",
  M4: "project scope",
  M5: "artifacts",
  M6: "cycles",
  M7: "files",
};

interface Props {
  cycle: number;
  onClose: () => void;
}

export function PromptDialog({ isOpen, ...props }: Props & { isOpen: boolean }) {
  return (
    <Dialog title="The prompt, as it would be sent now" isOpen={isOpen} onClose={props.onClose} isWide>
      <Preview {...props} />
    </Dialog>
  );
}

function Preview({ cycle, onClose }: Props) {
  const [prompt, setPrompt] = useState<PromptView | null>(null);
  const [error, setError] = useState<ErrorBody | null>(null);
  useEffect(() => {
    api.prompt(cycle, true).then(setPrompt, (reason) => setError(errorBody(reason)));
  }, [cycle]);
  return (
    <>
      {error && <ErrorLine error={error} />}
      {!prompt && !error && <p className="empty">Putting it together…</p>}
      {prompt && <Sections prompt={prompt} />}
      <div className="row buttons">
        {prompt && (
          <button type="button" onClick={() => navigator.clipboard.writeText(prompt.text)}>
            Copy
          </button>
        )}
        <button type="button" className="primary push" onClick={onClose}>
          Close
        </button>
      </div>
    </>
  );
}

function Sections({ prompt }: { prompt: PromptView }) {
  const parts = useMemo(() => cut(prompt.text, prompt.sections), [prompt]);
  const text = useRef<HTMLDivElement>(null);
  const most = Math.max(1, ...prompt.sections.map((section) => section.count.tokens));
  return (
    <div className="prompt">
      <ol className="sections">
        {prompt.sections.map((section, index) => (
          <li key={section.name}>
            <button
              type="button"
              className="quiet"
              onClick={() => text.current?.children[index]?.scrollIntoView({ block: "start" })}
            >
              <span className="section-name">
                {section.name} <span className="muted">{TITLES[section.name]}</span>
              </span>
              <span className="meter-bar" aria-hidden="true">
                <span style={{ width: `${(section.count.tokens / most) * 100}%` }} />
              </span>
              <span className="cost">
                {section.count.exact ? "" : "~"}
                {number(section.count.tokens)}
              </span>
            </button>
          </li>
        ))}
        <li className={prompt.is_over ? "total is-over" : "total"}>
          <span>{prompt.is_over ? "Too long" : "All"}</span>
          <span className="cost push">
            {number(prompt.total)}
            {prompt.budget !== null && ` of ${number(prompt.budget)}`}
          </span>
        </li>
        {prompt.note && <li className="muted note">{prompt.note}</li>}
      </ol>
      {/* Focusable, so that it can be scrolled from the keyboard. */}
      <div className="prompt-text" ref={text} tabIndex={0} role="region" aria-label="Text of the prompt">
        {parts.map((part, index) => (
          <pre key={prompt.sections[index]?.name}>{part}</pre>
        ))}
      </div>
    </div>
  );
}

/** The text in its sections; their offsets count code points. */
function cut(text: string, sections: ReadonlyArray<SectionView>): string[] {
  const parts: string[] = [];
  let rest = text;
  for (const [index, section] of sections.entries()) {
    const after = index === sections.length - 1 ? "" : dropCodePoints(rest, section.end - section.start);
    parts.push(rest.slice(0, rest.length - after.length));
    rest = after;
  }
  return parts;
}
