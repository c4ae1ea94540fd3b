// A generation: its N responses as tabs, the board first.

import { Tab, TabList, TabPanel, Tabs } from "react-aria-components";
import type { GenerationView, SlotProgress } from "../api/generated";
import { go, goTo, runChecks, stopAll } from "../state/actions";
import { use } from "../state/store";
import { clock, isActive, plural } from "../text/words";
import { Board } from "./board";
import { Failing, Passing, StatusIcon } from "./icons";
import { ResponsePanel } from "./response";
import { RestoreBar } from "./restore";

export function Responses() {
  const generation = use((state) => state.generation);
  const slot = use((state) => state.place.slot);
  const isNone = use((state) => state.workspace !== null && state.place.generation === null);
  if (isNone) return <FirstSteps />;
  if (!generation) return <section className="card" aria-busy="true" />;
  return (
    <section className="card responses" aria-label="Responses">
      <GenerationBar generation={generation} />
      <RestoreBar />
      <Tabs
        selectedKey={slot === null ? "board" : String(slot)}
        onSelectionChange={(key) => goTo(key === "board" ? null : Number(key))}
        keyboardActivation="manual"
      >
        <TabList aria-label="Board and responses" className="tabs">
          <Tab id="board" className="tab">
            Board
          </Tab>
          {generation.slots.map((each) => (
            <SlotTab key={each.slot} progress={each} />
          ))}
        </TabList>
        <TabPanel id="board" className="panel">
          {slot === null && <Board generation={generation} />}
        </TabPanel>
        {generation.slots.map((each) => (
          <TabPanel id={String(each.slot)} key={each.slot} className="panel">
            {slot === each.slot && <ResponsePanel generation={generation} progress={each} />}
          </TabPanel>
        ))}
      </Tabs>
    </section>
  );
}

function SlotTab({ progress }: { progress: SlotProgress }) {
  const checks = use((state) => state.board?.rows.find((row) => row.slot === progress.slot)?.checks ?? null);
  const isChosen = use((state) => {
    const { place, workspace } = state;
    return workspace?.cycles.some(
      (cycle) => cycle.chosen_generation === place.generation && cycle.chosen_slot === progress.slot,
    );
  });
  const verdict = checks === null ? "" : checks.failed === 0 ? ", checks pass" : ", checks fail";
  const label = `Response ${progress.slot}: ${progress.status}${verdict}${isChosen ? ", accepted" : ""}`;
  const isJudged = checks !== null && progress.status === "complete";
  return (
    <Tab id={String(progress.slot)} className="tab" aria-label={label}>
      {isJudged ? checks.failed === 0 ? <Passing /> : <Failing /> : <StatusIcon status={progress.status} />}
      {progress.slot}
      {isChosen && <span className="chosen" title="Accepted" />}
    </Tab>
  );
}

function GenerationBar({ generation }: { generation: GenerationView }) {
  const workspace = use((state) => state.workspace);
  const isChecking = use((state) => state.busy.has("checks") || state.board?.is_checking === true);
  const running = generation.slots.filter(isActive).length;
  const all = workspace?.generations.filter((each) => each.cycle === generation.cycle) ?? [];
  return (
    <div className="row">
      <h2>Responses</h2>
      {all.length > 1 ? (
        <select
          aria-label="Generation"
          value={generation.id}
          onChange={(event) => go({ generation: Number(event.target.value), slot: null, facet: "answer" })}
        >
          {all.toReversed().map((each) => (
            <option key={each.id} value={each.id}>
              Generation {each.id}, {clock(each.created_at)}
            </option>
          ))}
        </select>
      ) : (
        <span className="muted">Generation {generation.id}</span>
      )}
      <span className="muted summary" role="status">
        {summary(generation.slots, running)}
      </span>
      <span className="push row">
        {running > 0 && (
          <button type="button" onClick={() => stopAll()}>
            Stop all
          </button>
        )}
        {(workspace?.checks.length ?? 0) > 0 && running < generation.slots.length && (
          <button type="button" disabled={isChecking} onClick={() => runChecks()} title={workspace?.checks.join(", ")}>
            {isChecking ? "Checking…" : "Run checks"}
          </button>
        )}
      </span>
    </div>
  );
}

function summary(slots: ReadonlyArray<SlotProgress>, running: number): string {
  const counts = new Map<string, number>();
  for (const slot of slots) {
    if (!isActive(slot)) counts.set(slot.status, (counts.get(slot.status) ?? 0) + 1);
  }
  const ended = [...counts].map(([status, count]) => `${count} ${status}`);
  return [...(running ? [`${running} running`] : []), ...ended].join(", ");
}

function FirstSteps() {
  const selected = use((state) => state.selection.size);
  const checks = use((state) => state.workspace?.checks.length ?? 0);
  return (
    <section className="card first-steps" aria-label="Next steps">
      <h2>No responses yet</h2>
      <ol>
        <li className={selected > 0 ? "is-done" : ""}>
          Tick the files that matter.{selected > 0 && ` ${plural(selected, "file")} so far.`}
        </li>
        <li>Say what this cycle should change.</li>
        <li>
          Press <strong>Generate</strong>: the model answers several times in parallel, each answer in a tab of its own.
        </li>
        <li>
          Compare them{checks > 0 && ", run your checks on them"}, accept the best one’s files. <strong>Restore</strong> takes
          that back exactly.
        </li>
      </ol>
    </section>
  );
}
