// The exact prompt, section by section, with what each part costs.

import { useEffect, useMemo, useRef, useState } from "react";
import { api, errorBody } from "../api/client";
import type { ErrorBody, PromptView, SectionView } from "../api/generated";
import { dropCodePoints } from "../text/livetext";
import { number } from "../text/words";
import { text } from "../text/messages";
import { Dialog } from "./dialog";
import { ErrorLine } from "./notices";

interface Props {
  cycle: number;
  onClose: () => void;
}

export function PromptDialog({ isOpen, ...props }: Props & { isOpen: boolean }) {
  return (
    <Dialog title={text.cycle.promptTitle} isOpen={isOpen} onClose={props.onClose} isWide>
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
      {!prompt && !error && <p className="empty">{text.cycle.assembling}</p>}
      {prompt && <Sections prompt={prompt} />}
      <div className="row buttons">
        {prompt && (
          <button type="button" onClick={() => navigator.clipboard.writeText(prompt.text)}>
            {text.shell.copy}
          </button>
        )}
        <button type="button" className="primary push" onClick={onClose}>
          {text.shell.close}
        </button>
      </div>
    </>
  );
}

function Sections({ prompt }: { prompt: PromptView }) {
  const parts = useMemo(() => cut(prompt.text, prompt.sections), [prompt]);
  const box = useRef<HTMLDivElement>(null);
  const most = Math.max(1, ...prompt.sections.map((section) => section.count.tokens));
  return (
    <div className="prompt">
      <ol className="sections">
        {prompt.sections.map((section, index) => (
          <li key={section.name}>
            <button
              type="button"
              className="quiet"
              onClick={() => box.current?.children[index]?.scrollIntoView({ block: "start" })}
            >
              <span className="section-name">
                {section.name} <span className="muted">{text.cycle.sections[section.name]}</span>
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
          <span>{prompt.is_over ? text.cycle.totalTooLong : text.cycle.total}</span>
          <span className="cost push">
            {text.cycle.totalOf(prompt.total, prompt.budget)}
          </span>
        </li>
        {prompt.note && <li className="muted note">{prompt.note}</li>}
      </ol>
      {/* Focusable, so that it can be scrolled from the keyboard. */}
      <div className="prompt-text" ref={box} tabIndex={0} role="region" aria-label={text.cycle.promptText}>
        {parts.map((part, index) => (
          <pre key={prompt.sections[index]?.name}>{part}</pre>
        ))}
      </div>
    </div>
  );
}

/** The text in its sections; their offsets count code points. */
function cut(whole: string, sections: ReadonlyArray<SectionView>): string[] {
  const parts: string[] = [];
  let rest = whole;
  for (const [index, section] of sections.entries()) {
    const after = index === sections.length - 1 ? "" : dropCodePoints(rest, section.end - section.start);
    parts.push(rest.slice(0, rest.length - after.length));
    rest = after;
  }
  return parts;
}
