// A file of a response against the workspace or another response. The editor that shows it is loaded when first needed.

import { useEffect, useState } from "react";
import { api, errorBody } from "../api/client";
import type { BlockView, DiffView, ErrorBody, GenerationView } from "../api/generated";
import type { Layout } from "../text/diffeditor";
import { use } from "../state/store";
import { isActive } from "../text/words";
import { text } from "../text/messages";
import { DiffBox } from "./diffbox";
import { ErrorLine } from "./notices";

const NARROW = matchMedia("(max-width: 900px)");

interface Props {
  generation: GenerationView;
  slot: number;
  files: ReadonlyArray<BlockView>;
}

export function Diff({ generation, slot, files }: Props) {
  const first = files.find((file) => file.change !== "same") ?? files[0];
  const [wanted, setPath] = useState<string | null>(null);
  const path = files.some((file) => file.path === wanted) ? wanted : (first?.path ?? null);
  const [against, setAgainst] = useState("workspace");
  const [layout, setLayout] = useState<Layout>(NARROW.matches ? "unified" : "split");
  const others = generation.slots.filter((other) => other.slot !== slot && !isActive(other));
  return (
    <div className="diff">
      <div className="row">
        <select aria-label={text.review.file} value={path ?? ""} onChange={(event) => setPath(event.target.value)}>
          {files.map((file) => (
            <option key={file.path} value={file.path}>
              {file.change === "same"
                ? text.review.fileUnchanged(file.path)
                : text.review.fileChanged(file.path, file.added, file.removed)}
            </option>
          ))}
        </select>
        <label className="row">
          <span className="muted">{text.review.against}</span>
          <select value={against} onChange={(event) => setAgainst(event.target.value)}>
            <option value="workspace">{text.review.theWorkspace}</option>
            {others.map((other) => (
              <option key={other.slot} value={other.slot}>
                {text.review.response(other.slot)}
              </option>
            ))}
          </select>
        </label>
        <div className="facets push" role="group" aria-label={text.review.layout}>
          {(["unified", "split"] as const).map((each) => (
            <button key={each} type="button" aria-pressed={layout === each} onClick={() => setLayout(each)}>
              {text.review[each]}
            </button>
          ))}
        </div>
      </div>
      {path !== null && <DiffText key={path} {...{ generation: generation.id, slot, path, against, layout }} />}
    </div>
  );
}

interface TextProps {
  generation: number;
  slot: number;
  path: string;
  against: string;
  layout: Layout;
}

function DiffText({ generation, slot, path, against, layout }: TextProps) {
  const restorable = use((state) => state.workspace?.restorable?.id);
  const [view, setView] = useState<DiffView | null>(null);
  const [error, setError] = useState<ErrorBody | null>(null);
  useEffect(() => {
    let isCurrent = true;
    api.diff(generation, slot, path, against).then(
      (value) => {
        if (!isCurrent) return;
        setView(value);
        setError(null);
      },
      (reason) => isCurrent && setError(errorBody(reason)),
    );
    return () => {
      isCurrent = false;
    };
  }, [generation, slot, path, against, restorable]);
  return (
    <>
      {error && <ErrorLine error={error} />}
      {view && (
        <p className="muted diff-note">
          {note(view)} {view.before === view.after && text.review.same}
        </p>
      )}
      {view && <DiffBox path={view.path} before={view.before ?? ""} after={view.after ?? ""} layout={layout} />}
    </>
  );
}

function note(view: DiffView): string {
  if (view.before === null) return text.review.isNew(view.before_label);
  if (view.after === null) return text.review.isMissing(view.after_label);
  return text.review.fromTo(view.before_label, view.after_label);
}
