// The exact prompt: the cost of each section and file, the changes since the last prompt, and the possible secrets in it.

import { type ReactNode, type RefObject, useEffect, useMemo, useRef, useState } from "react";
import { api, errorBody } from "../api/client";
import { contextApi } from "../api/context";
import type { Count, ErrorBody, PromptChange, PromptView, SectionView } from "../api/generated";
import { Dialog } from "../kit/dialog";
import { DiffBox } from "../kit/diffbox";
import { ErrorLine } from "../kit/errorline";
import { text } from "../messages";
import { dropCodePoints } from "../state/livetext";
import { use } from "../state/store";
import { openPane } from "../state/window";
import { number } from "../text/words";
import { Findings } from "./findings";

const VIEWS = ["text", "change", "secrets"] as const;

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
  const detail = use((state) => state.place.detail);
  const selection = use((state) => state.workspace?.selection);
  const view = VIEWS.find((each) => each === detail) ?? "text";
  const [prompt, setPrompt] = useState<PromptView | null>(null);
  const [error, setError] = useState<ErrorBody | null>(null);
  const [turn, setTurn] = useState(0);
  useEffect(() => {
    let isCurrent = true;
    api.prompt(cycle, true).then(
      (value) => isCurrent && (setPrompt(value), setError(null)),
      (reason) => isCurrent && setError(errorBody(reason)),
    );
    return () => {
      isCurrent = false;
    };
  }, [cycle, selection, turn]);
  return (
    <>
      <div className="facets" role="group" aria-label={text.context.promptView}>
        {VIEWS.map((each) => (
          <button key={each} type="button" aria-pressed={view === each} onClick={() => openPane("prompt", each)}>
            {each === "secrets" && prompt?.findings
              ? text.context.secretsCount(prompt.findings)
              : text.context.promptViews[each]}
          </button>
        ))}
      </div>
      {error && <ErrorLine error={error} />}
      {!prompt && !error && <p className="empty">{text.cycle.assembling}</p>}
      {view === "text" && prompt && <Sections prompt={prompt} />}
      {view === "change" && <Change key={prompt?.sha256} cycle={cycle} />}
      {view === "secrets" && <Findings cycle={cycle} onResolved={() => setTurn((before) => before + 1)} />}
      <div className="row buttons">
        {prompt && (
          <button
            type="button"
            disabled={prompt.findings > 0 && prompt.is_blocked}
            onClick={() => navigator.clipboard.writeText(prompt.text)}
          >
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

function Change({ cycle }: { cycle: number }) {
  const [change, setChange] = useState<PromptChange | null>(null);
  const [error, setError] = useState<ErrorBody | null>(null);
  useEffect(() => {
    contextApi.promptChange(cycle).then(setChange, (reason) => setError(errorBody(reason)));
  }, [cycle]);
  if (error) return <ErrorLine error={error} />;
  if (!change) return <p className="empty">{text.shell.loading}</p>;
  if (change.generation === 0) return <p className="empty">{text.context.noLast}</p>;
  return (
    <div className="prompt-change">
      <p className="muted">
        {text.context.lastPrompt(change.generation)} {change.before === change.after && text.review.same}
      </p>
      <DiffBox path="prompt.md" before={change.before} after={change.after} layout="unified" />
    </div>
  );
}

function Sections({ prompt }: { prompt: PromptView }) {
  const parts = useMemo(() => cut(prompt.text, prompt.sections), [prompt]);
  const box = useRef<HTMLDivElement>(null);
  const most = Math.max(1, ...prompt.sections.map((section) => section.count.tokens));
  const files = useMemo(() => prompt.files.toSorted((a, b) => b.count.tokens - a.count.tokens), [prompt]);
  return (
    <div className="prompt">
      <div className="prompt-map">
        <ol className="sections">
          {prompt.sections.map((section, index) => (
            <Part
              key={section.name}
              count={section.count}
              most={most}
              onClick={() => box.current?.children[index]?.scrollIntoView({ block: "start" })}
            >
              {section.name} <span className="muted">{text.cycle.sections[section.name]}</span>
            </Part>
          ))}
          <li className={prompt.is_over ? "total is-over" : "total"}>
            <span>{prompt.is_over ? text.cycle.totalTooLong : text.cycle.total}</span>
            <span className="cost push">{text.cycle.totalOf(prompt.total, prompt.budget)}</span>
          </li>
          {prompt.note && <li className="muted note">{prompt.note}</li>}
          {prompt.shared !== null && <li className="muted note">{text.cycle.shared(prompt.shared)}</li>}
        </ol>
        {files.length > 0 && (
          <>
            <h3>{text.context.byFile}</h3>
            <ol className="sections">
              {files.map((file) => (
                <Part
                  key={file.path}
                  count={file.count}
                  most={most}
                  onClick={() => jump(box, prompt, parts, file.start)}
                >
                  <span className="path">{file.path}</span>
                  {file.detail !== "full" && <span className="muted"> {file.detail}</span>}
                </Part>
              ))}
            </ol>
          </>
        )}
      </div>
      {/* Focusable, so that it can be scrolled from the keyboard. */}
      <div className="prompt-text" ref={box} tabIndex={0} role="region" aria-label={text.cycle.promptText}>
        {parts.map((part, index) => (
          <pre key={prompt.sections[index]?.name}>{part}</pre>
        ))}
      </div>
    </div>
  );
}

function Part({
  count,
  most,
  onClick,
  children,
}: {
  count: Count;
  most: number;
  onClick: () => void;
  children: ReactNode;
}) {
  return (
    <li>
      <button type="button" className="quiet" onClick={onClick}>
        <span className="section-name">{children}</span>
        <span className="meter-bar" aria-hidden="true">
          <span style={{ width: `${(count.tokens / most) * 100}%` }} />
        </span>
        <span className="cost">
          {count.exact ? "" : "~"}
          {number(count.tokens)}
        </span>
      </button>
    </li>
  );
}

/** Scrolls to an offset in the text, in code points. */
function jump(
  box: RefObject<HTMLDivElement | null>,
  prompt: PromptView,
  parts: ReadonlyArray<string>,
  start: number,
): void {
  const index = prompt.sections.findIndex((section) => section.start <= start && start < section.end);
  const part = parts[index];
  const node = box.current?.children[index]?.firstChild;
  const section = prompt.sections[index];
  if (!box.current || part === undefined || !node || !section) return;
  const offset = part.length - dropCodePoints(part, start - section.start).length;
  const range = document.createRange();
  range.setStart(node, offset);
  range.setEnd(node, Math.min(offset + 1, part.length));
  box.current.scrollTop += range.getBoundingClientRect().top - box.current.getBoundingClientRect().top;
}

/** The text cut into its sections, whose offsets are in code points. */
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
