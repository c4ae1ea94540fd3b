// Before and after every component test: an empty page, and no complaint of React's that nobody reads.

import { cleanup } from "@testing-library/react";
import { afterEach, beforeEach, vi } from "vitest";

beforeEach(() => {
  sessionStorage.clear();
  vi.spyOn(console, "error").mockImplementation((...words) => {
    throw new Error(`console.error: ${words.join(" ")}`);
  });
});

afterEach(() => {
  cleanup();
  vi.restoreAllMocks();
  vi.unstubAllGlobals();
  vi.useRealTimers();
});
