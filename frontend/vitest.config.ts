import { defineConfig } from "vitest/config";

// What is decided is tested without a page, components in one that happy-dom makes. Whole flows are in tests/real, in Chromium.
export default defineConfig({
  test: {
    pool: "threads",
    projects: [
      // Without a page, tests of one process leave each other nothing behind.
      { test: { name: "state", include: ["src/**/*.test.ts"], environment: "node", isolate: false } },
      {
        test: {
          name: "components",
          include: ["src/**/*.test.tsx"],
          environment: "happy-dom",
          setupFiles: ["src/testing/page.ts"],
        },
      },
    ],
  },
});
