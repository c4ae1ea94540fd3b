// A message with `code` and **strong** parts.

import type { ReactNode } from "react";

const PART = /(`[^`]+`|\*\*[^*]+\*\*)/;

export function Rich({ text }: { text: string }): ReactNode {
  return text.split(PART).map((part, index) => {
    // The parts of a constant message never change order.
    const key = `${index} ${part}`;
    if (part.startsWith("`")) return <code key={key}>{part.slice(1, -1)}</code>;
    if (part.startsWith("**")) return <strong key={key}>{part.slice(2, -2)}</strong>;
    return part;
  });
}
