// A response of the panel API that only one screen needs.

import { useEffect, useState } from "react";
import { errorBody } from "../api/client";
import type { ErrorBody } from "../api/generated";
import { use } from "./store";

/** Debounce: keys and events come in bursts, and only the last one sends a request. */
const ASK_AFTER_MS = 200;

/** The panel's answer, requested again when a cycle or a generation changes; null while it is loading. */
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
    // oxlint-disable-next-line react-hooks/exhaustive-deps -- the request follows from the key
  }, [key, workspace?.cursor]);
  return answer[0] === key ? [answer[1], answer[2]] : [null, null];
}
