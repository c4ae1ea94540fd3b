// A screen over the main view, with a title and a way back. Escape also closes it.

import { type ReactNode, useEffect, useRef } from "react";
import { text } from "../messages";
import { closePane } from "../state/window";
import { Cross } from "./icons";

export function PaneScreen({ title, className, children }: { title: string; className: string; children: ReactNode }) {
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    heading.current?.focus();
    const onKey = (event: KeyboardEvent) => {
      const target = event.target as HTMLElement;
      if (event.key === "Escape" && !event.defaultPrevented && !target.closest("[role=dialog]")) closePane();
    };
    addEventListener("keydown", onKey);
    return () => removeEventListener("keydown", onKey);
  }, []);
  return (
    <main className={`pane ${className}`}>
      <div className="row pane-head">
        <h2 ref={heading} tabIndex={-1}>
          {title}
        </h2>
        <button type="button" className="quiet push" onClick={closePane}>
          <Cross /> {text.shell.backToWork}
        </button>
      </div>
      {children}
    </main>
  );
}
