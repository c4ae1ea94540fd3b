// A model's Markdown as elements. HTML in it stays text, images are named and never loaded, and links show their target.

import type { Nodes, Root } from "mdast";
import { Fragment, type ReactNode, useEffect, useState } from "react";
import { text } from "../messages";

/** Longer texts are shown unparsed: nobody reads them as prose, and parsing would block the page. */
const MAX_CHARS = 200_000;
const SAFE = /^(?:https?:|mailto:)/i;

export function Markdown({ source }: { source: string }) {
  const [tree, setTree] = useState<{ readonly source: string; readonly root: Root } | null>(null);
  useEffect(() => {
    let isCurrent = true;
    if (source.length <= MAX_CHARS) {
      void import("../text/markdown").then(({ parseMarkdown }) => {
        if (isCurrent) setTree({ source, root: parseMarkdown(source) });
      });
    }
    return () => {
      isCurrent = false;
    };
  }, [source]);
  if (tree?.source !== source) return <p className="prose">{source}</p>;
  return <div className="markdown">{tree.root.children.map((node, index) => keyed(node, index))}</div>;
}

/** The nodes of an unchanging text never change order. */
const keyed = (node: Nodes, index: number) => <Fragment key={`${index}`}>{show(node)}</Fragment>;
const inside = (node: { readonly children: ReadonlyArray<Nodes> }): ReactNode => node.children.map(keyed);

function show(node: Nodes): ReactNode {
  switch (node.type) {
    case "paragraph":
      return <p>{inside(node)}</p>;
    case "heading":
      // A model's headings rank below the page's own.
      return node.depth <= 2 ? <h5>{inside(node)}</h5> : <h6>{inside(node)}</h6>;
    case "list":
      return node.ordered ? <ol start={node.start ?? 1}>{inside(node)}</ol> : <ul>{inside(node)}</ul>;
    case "listItem":
      return <li>{inside(node)}</li>;
    case "blockquote":
      return <blockquote>{inside(node)}</blockquote>;
    case "code":
      return <pre tabIndex={0}>{node.value}</pre>;
    case "thematicBreak":
      return <hr />;
    case "table":
      return (
        <table>
          <tbody>{inside(node)}</tbody>
        </table>
      );
    case "tableRow":
      return <tr>{inside(node)}</tr>;
    case "tableCell":
      return <td>{inside(node)}</td>;
    default:
      return showInline(node);
  }
}

function showInline(node: Nodes): ReactNode {
  switch (node.type) {
    case "text":
    case "html":
      return node.value;
    case "inlineCode":
      return <code>{node.value}</code>;
    case "emphasis":
      return <em>{inside(node)}</em>;
    case "strong":
      return <strong>{inside(node)}</strong>;
    case "break":
      return <br />;
    case "link":
      return SAFE.test(node.url) ? <Outside url={node.url}>{inside(node)}</Outside> : inside(node);
    case "image":
      return <span className="muted">{text.review.picture(node.alt ?? "", node.url)}</span>;
    default:
      return "children" in node ? inside(node) : null;
  }
}

/** An external link that shows its target. */
function Outside({ url, children }: { url: string; children: ReactNode }) {
  return (
    <a href={url} target="_blank" rel="noopener noreferrer nofollow" title={url}>
      {children} <span className="muted">({URL.canParse(url) ? new URL(url).host || url : url})</span>
    </a>
  );
}
