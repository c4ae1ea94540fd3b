import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { startTheme } from "./kit/theme";
import { App, connect } from "./shell";
import { followAddress, loadFiles } from "./state/window";
import "./styles.css";

const root = document.getElementById("root");
if (root === null) throw new Error("index.html has no #root");

startTheme();
followAddress();
void connect();
// Files are edited outside this window, so reload them when it becomes visible again.
addEventListener("focus", () => void loadFiles());
createRoot(root).render(
  <StrictMode>
    <App />
  </StrictMode>,
);
