import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

// The built app is packed into the Python wheel and served under a strict Content-Security-Policy: no inline scripts, no data
// URLs for code, styles by nonce (the server replaces DCE_NONCE in index.html on every answer).
export default defineConfig({
  plugins: [react()],
  html: { cspNonce: "DCE_NONCE" },
  build: {
    outDir: "../src/dce/panel/static",
    emptyOutDir: true,
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 900,
    modulePreload: { polyfill: false },
    sourcemap: false,
    target: "es2022",
    // Older targets would have light-dark() and nesting rewritten at length.
    cssTarget: ["chrome123", "firefox121", "safari17.5"],
  },
});
