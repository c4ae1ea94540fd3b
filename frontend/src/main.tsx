import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { startTheme } from "./kit/theme";
import { App, connect } from "./shell";
import { followAddress, loadFiles } from "./state/window";
import { language } from "./text/language";
import "./styles.css";

const root = document.getElementById("root");
if (root === null) throw new Error("index.html has no #root");

document.documentElement.lang = language;
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
