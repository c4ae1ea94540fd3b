// The window: files on the left, the cycle and its responses on the right.

import { useCallback, useState } from "react";
import { CycleCard } from "./components/cycle";
import { Files } from "./components/files";
import { Gone, Header } from "./components/header";
import { Help, useKeys } from "./components/help";
import { Notices } from "./components/notices";
import { Responses } from "./components/responses";

export function App() {
  const [isHelp, setHelp] = useState(false);
  useKeys(useCallback(() => setHelp(true), []));
  return (
    <>
      <Header onHelp={() => setHelp(true)} />
      <div className="body">
        <aside>
          <Files />
        </aside>
        <main>
          <Gone />
          <CycleCard />
          <Responses />
        </main>
      </div>
      <Notices />
      <Help isOpen={isHelp} onClose={() => setHelp(false)} />
    </>
  );
}
