// An answer of the panel that one screen shows and nothing else needs.

import { useEffect, useState } from "react";
import { errorBody } from "../api/client";
import type { ErrorBody } from "../api/generated";
import { use } from "./store";

/** Keys and events come in bursts: the last of them asks. */
const ASK_AFTER_MS = 200;

/** What the panel answers, asked again when a cycle or a generation changes; null while it is on its way. */
export function useAnswer<T>(ask: (() => Promise<T>) | null, key: string): readonly [T | null, ErrorBody | null] {
  const workspace = use((state) => state.workspace);
  const [answer, setAnswer] = useState<readonly [string, T | null, ErrorBody | null]>([key, null, null]);
  useEffect(() => {
    let isCurrent = true;
    const timer = setTimeout(() => {
      ask?.().then(
        (value) => isCurrent && setAnswer([key, value, null]),
        (reason) => isCurrent && setAnswer([key, null, errorBody(reason)]),
      );
    }, ASK_AFTER_MS);
    return () => {
      isCurrent = false;
      clearTimeout(timer);
    };
    // oxlint-disable-next-line react-hooks/exhaustive-deps -- what is asked follows from the key
  }, [key, workspace?.cursor]);
  return answer[0] === key ? [answer[1], answer[2]] : [null, null];
}
