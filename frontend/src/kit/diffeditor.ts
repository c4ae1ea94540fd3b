// CodeMirror's merge view, read-only, in the page's colours. A chunk of its own, loaded on demand.

import { bracketMatching, defaultHighlightStyle, syntaxHighlighting } from "@codemirror/language";
import { MergeView, unifiedMergeView } from "@codemirror/merge";
import { EditorState, type Extension } from "@codemirror/state";
import { EditorView, lineNumbers } from "@codemirror/view";
import { classHighlighter } from "@lezer/highlight";

export type Layout = "unified" | "split";

export interface Texts {
  readonly path: string;
  readonly before: string;
  readonly after: string;
}

const COLLAPSE = { margin: 3, minSize: 6 };
/** Beyond this much work the diff gets coarser instead of freezing the page. */
const DIFF_LIMITS = { scanLimit: 1_000, timeout: 300 };

/** The nonce that allows the page to add styles; the panel puts it into the page. */
const nonce = () => document.querySelector<HTMLMetaElement>('meta[property="csp-nonce"]')?.nonce ?? "";

const LANGUAGES: Readonly<Record<string, () => Promise<Extension>>> = {
  py: () => import("@codemirror/lang-python").then(({ python }) => python()),
};

async function extensions(path: string): Promise<Extension[]> {
  const language = await LANGUAGES[path.slice(path.lastIndexOf(".") + 1)]?.();
  return [
    EditorView.cspNonce.of(nonce()),
    EditorState.readOnly.of(true),
    EditorView.editable.of(false),
    EditorView.contentAttributes.of({ tabindex: "0", "aria-label": path }),
    EditorView.lineWrapping,
    lineNumbers(),
    bracketMatching(),
    syntaxHighlighting(classHighlighter),
    syntaxHighlighting(defaultHighlightStyle, { fallback: true }),
    ...(language ? [language] : []),
  ];
}

/** Loads what a diff needs. Returns a function that shows the diff in an element and returns one that removes it. */
export async function prepareDiff(
  view: Texts,
): Promise<(parent: HTMLElement, layout: Layout, isFolded: boolean) => () => void> {
  const shared = await extensions(view.path);
  return (parent, layout, isFolded) => show(parent, view, { layout, isFolded }, shared);
}

interface Look {
  readonly layout: Layout;
  readonly isFolded: boolean;
}

function show(parent: HTMLElement, view: Texts, { layout, isFolded }: Look, shared: Extension[]): () => void {
  const before = view.before;
  const after = view.after;
  if (layout === "split") {
    const merge = new MergeView({
      parent,
      a: { doc: before, extensions: shared },
      b: { doc: after, extensions: shared },
      ...(isFolded ? { collapseUnchanged: COLLAPSE } : {}),
      diffConfig: DIFF_LIMITS,
    });
    return () => merge.destroy();
  }
  const unified = unifiedMergeView({
    original: before,
    mergeControls: false,
    ...(isFolded ? { collapseUnchanged: COLLAPSE } : {}),
    diffConfig: DIFF_LIMITS,
  });
  const editor = new EditorView({ parent, doc: after, extensions: [shared, unified] });
  return () => editor.destroy();
}
