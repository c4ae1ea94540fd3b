// A file of a response compared with the current file, the file in the prompt or another response.

import { useEffect, useState } from "react";
import { errorBody } from "../api/client";
import type { BlockView, DiffView, ErrorBody, GenerationView } from "../api/generated";
import { reviewApi } from "../api/review";
import { DiffBox } from "../kit/diffbox";
import type { Layout } from "../kit/diffeditor";
import { ErrorLine } from "../kit/errorline";
import { text } from "../messages";
import { use } from "../state/store";
import { useWindowState } from "../state/windowstate";
import { isActive } from "../text/words";

const NARROW = matchMedia("(max-width: 900px)");
/** A larger diff takes the browser a while, so it is shown on demand. */
const MAX_CHARS = 1_000_000;

interface Props {
  generation: GenerationView;
  slot: number;
  files: ReadonlyArray<BlockView>;
}

export function Diff({ generation, slot, files }: Props) {
  const here = `${generation.id} ${slot}`;
  const first = files.find((file) => file.change !== "same") ?? files[0];
  const [wanted, setPath] = useWindowState<string | null>(`diff of ${here}`, null);
  const path = files.some((file) => file.path === wanted) ? wanted : (first?.path ?? null);
  const [against, setAgainst] = useWindowState(`diff against ${here}`, "workspace");
  const [layout, setLayout] = useWindowState<Layout>("diff layout", NARROW.matches ? "unified" : "split");
  const [isFolded, setFolded] = useWindowState("diff folded", true);
  const others = generation.slots.filter((other) => other.slot !== slot && !isActive(other));
  return (
    <div className="diff">
      <div className="row">
        <select
          aria-label={text.review.file}
          value={path ?? ""}
          disabled={files.length < 2}
          onChange={(event) => setPath(event.target.value)}
        >
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
            <option value="prompt">{text.review.thePrompt}</option>
            {others.map((other) => (
              <option key={other.slot} value={other.slot}>
                {text.review.response(other.slot)}
              </option>
            ))}
          </select>
        </label>
        <label className="row push">
          <input type="checkbox" checked={isFolded} onChange={() => setFolded(!isFolded)} />
          {text.review.fold}
        </label>
        <div className="facets" role="group" aria-label={text.review.layout}>
          {(["unified", "split"] as const).map((each) => (
            <button key={each} type="button" aria-pressed={layout === each} onClick={() => setLayout(each)}>
              {text.review[each]}
            </button>
          ))}
        </div>
      </div>
      {path !== null && (
        <DiffText key={path} {...{ generation: generation.id, slot, path, against, layout, isFolded }} />
      )}
    </div>
  );
}

interface TextProps {
  generation: number;
  slot: number;
  path: string;
  against: string;
  layout: Layout;
  isFolded: boolean;
}

function DiffText({ generation, slot, path, against, layout, isFolded }: TextProps) {
  const restorable = use((state) => state.workspace?.restorable?.id);
  const version = use((state) => state.shown?.live.version);
  const [view, setView] = useState<DiffView | null>(null);
  const [error, setError] = useState<ErrorBody | null>(null);
  const [isWanted, want] = useState(false);
  useEffect(() => {
    let isCurrent = true;
    reviewApi.diff(generation, slot, path, against).then(
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
  }, [generation, slot, path, against, restorable, version]);
  const size = (view?.before?.length ?? 0) + (view?.after?.length ?? 0);
  return (
    <>
      {error && <ErrorLine error={error} />}
      {view && (
        <p className="muted diff-note">
          {note(view)} {view.before === view.after && text.review.same}
        </p>
      )}
      {view && size > MAX_CHARS && !isWanted ? (
        <p className="banner">
          {text.review.large(size)}{" "}
          <button type="button" onClick={() => want(true)}>
            {text.review.showLarge}
          </button>
        </p>
      ) : (
        view && (
          <DiffBox
            path={view.path}
            before={view.before ?? ""}
            after={view.after ?? ""}
            layout={layout}
            isFolded={isFolded}
          />
        )
      )}
    </>
  );
}

function note(view: DiffView): string {
  if (view.from_path) return text.review.renamed(view.after_slot, view.from_path);
  if (view.action === "delete") return text.review.deletes(view.after_slot);
  if (view.action === "mode") return text.review.changesMode(view.after_slot);
  if (view.before === null) return text.review.isNew(view.before_kind, view.before_slot);
  if (view.after === null) return text.review.isMissing(view.after_slot);
  return text.review.fromTo(
    text.review.side(view.before_kind, view.before_slot),
    text.review.side("response", view.after_slot),
  );
}
