import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { App } from "./app";
import { followAddress, loadFiles } from "./state/actions";
import { connect } from "./state/stream";
import { startTheme } from "./state/theme";
import "./styles/index.css";

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
