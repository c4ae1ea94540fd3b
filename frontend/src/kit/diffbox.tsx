// Two texts and their difference. The editor that shows them is loaded when first needed.

import { useEffect, useRef } from "react";
import type { Layout } from "./diffeditor";

interface Props {
  path: string;
  before: string;
  after: string;
  layout: Layout;
  /** Whether unchanged lines are hidden. */
  isFolded?: boolean;
}

export function DiffBox({ path, before, after, layout, isFolded = true }: Props) {
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (!box.current) return;
    const parent = box.current;
    let destroy = () => {};
    let isCurrent = true;
    void import("./diffeditor")
      .then(({ prepareDiff }) => prepareDiff({ path, before, after }))
      .then((show) => {
        if (isCurrent) destroy = show(parent, layout, isFolded);
      });
    return () => {
      isCurrent = false;
      destroy();
    };
  }, [path, before, after, layout, isFolded]);
  return <div className="diff-text" ref={box} />;
}
