// The window: steps at the top, files on the left, the cycle and its responses on the right; or another screen.

import { useCallback, useState } from "react";
import { ChecksScreen } from "./components/checkscreen";
import { CycleCard } from "./components/cycle";
import { Files } from "./components/files";
import { SendingGate } from "./components/gate";
import { Gone, Header, Unwatched } from "./components/header";
import { Help, useKeys } from "./components/help";
import { HistoryScreen } from "./components/history";
import { ManualScreen } from "./components/manual";
import { Notices } from "./components/notices";
import { Responses } from "./components/responses";
import { SettingsScreen } from "./components/settings";
import { Steps } from "./components/steps";
import { use } from "./state/store";

export function App() {
  const [isHelp, setHelp] = useState(false);
  useKeys(useCallback(() => setHelp(true), []));
  return (
    <>
      <Header onHelp={() => setHelp(true)} />
      <Steps />
      <Screen />
      <SendingGate />
      <Notices />
      <Help isOpen={isHelp} onClose={() => setHelp(false)} />
    </>
  );
}

function Screen() {
  const pane = use((state) => state.place.pane);
  if (pane === "settings") return <SettingsScreen />;
  if (pane === "history") return <HistoryScreen />;
  if (pane === "manual") return <ManualScreen />;
  if (pane === "checks") return <ChecksScreen />;
  return (
    <div className="body">
      <aside>
        <Files />
      </aside>
      <main>
        <Gone />
        <Unwatched />
        <CycleCard />
        <Responses />
      </main>
    </div>
  );
}
