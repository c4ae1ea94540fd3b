// The window: steps at the top, files on the left, the cycle and its responses on the right; or another screen.

import { useCallback, useState } from "react";
import { ChecksScreen } from "../board";
import { Files } from "../context";
import { CycleCard, ManualScreen, SendingGate } from "../cycle";
import { HistoryScreen } from "../history";
import { Responses } from "../review";
import { SettingsScreen } from "../settings";
import { use } from "../state/store";
import { Gone, Header, Unwatched } from "./header";
import { Help, useKeys } from "./help";
import { Notices } from "./notices";
import { Steps } from "./steps";

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
