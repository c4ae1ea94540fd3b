// A generation: the board and its N responses as tabs.

import { memo } from "react";
import { Tab, TabList, TabPanel, Tabs } from "react-aria-components";
import { PlanBar, RestoreBar } from "../accept";
import type { SlotProgress } from "../api/generated";
import { AllButtons, Board, CheckBar, outcomeOf } from "../board";
import { FirstSteps } from "../cycle";
import { Failing, Passing, StatusIcon } from "../kit/icons";
import { text } from "../messages";
import { NOWHERE } from "../state/place";
import { use } from "../state/store";
import { go, goTo } from "../state/window";
import { clock, isActive } from "../text/words";
import { ResponsePanel } from "./response";

export function Responses() {
  const isNone = use((state) => state.workspace !== null && state.place.generation === null);
  const generation = use((state) => state.generation?.id ?? null);
  // One string, so that it stays identical as long as the slots do.
  const slots = use((state) => state.generation?.slots.map(({ slot }) => slot).join(" ") ?? "");
  if (isNone) return <FirstSteps />;
  if (generation === null) return <section className="card" aria-busy="true" />;
  return (
    <section className="card responses" id="responses" tabIndex={-1} aria-label={text.progress.responses}>
      <GenerationBar />
      <RestoreBar />
      <SlotTabs slots={slots} />
      <PlanBar generation={generation} />
    </section>
  );
}

/** Progress arrives ten times a second. Only its own components render again, not the tabs, which scan every control in them each time. */
const SlotTabs = memo(function SlotTabs({ slots }: { slots: string }) {
  const slot = use((state) => state.place.slot);
  const numbers = slots.split(" ").map(Number);
  return (
    <Tabs
      selectedKey={slot === null ? "board" : String(slot)}
      onSelectionChange={(key) => goTo(key === "board" ? null : Number(key))}
      keyboardActivation="manual"
    >
      <TabList aria-label={text.progress.boardAndResponses} className="tabs">
        <Tab id="board" className="tab">
          {text.progress.board}
        </Tab>
        {numbers.map((each) => (
          <SlotTab key={each} slot={each} />
        ))}
      </TabList>
      <TabPanel id="board" className="panel">
        {slot === null && <BoardPanel />}
      </TabPanel>
      {numbers.map((each) => (
        <TabPanel id={String(each)} key={each} className="panel">
          {slot === each && <SlotPanel slot={each} />}
        </TabPanel>
      ))}
    </Tabs>
  );
});

function BoardPanel() {
  const generation = use((state) => state.generation);
  return generation && <Board generation={generation} />;
}

function SlotPanel({ slot }: { slot: number }) {
  const generation = use((state) => state.generation);
  const progress = generation?.slots.find((each) => each.slot === slot);
  return generation && progress ? <ResponsePanel generation={generation} progress={progress} /> : null;
}

function SlotTab({ slot }: { slot: number }) {
  const status = use((state) => state.generation?.slots.find((each) => each.slot === slot)?.status ?? "queued");
  const checks = use((state) => state.board?.rows.find((row) => row.slot === slot)?.checks ?? null);
  const isChosen = use((state) => {
    const { place, workspace } = state;
    return workspace?.cycles.some(
      (cycle) => cycle.chosen_generation === place.generation && cycle.chosen_slot === slot,
    );
  });
  const verdict = checks === null ? "none" : checks.stale === "" ? outcomeOf(checks) : "stale";
  const label = text.progress.tab(slot, status, verdict, isChosen ?? false);
  const isJudged = checks !== null && checks.stale === "" && status === "complete";
  return (
    <Tab id={String(slot)} className="tab" aria-label={label}>
      {isJudged ? verdict !== "fail" ? <Passing /> : <Failing /> : <StatusIcon status={status} />}
      {slot}
      {isChosen && <span className="chosen" title={text.progress.accepted} />}
    </Tab>
  );
}

function GenerationBar() {
  const generation = use((state) => state.generation);
  const cycle = use((state) => state.cycle);
  if (!generation) return null;
  const running = generation.slots.filter(isActive).length;
  const all = cycle?.generations ?? [];
  return (
    <div className="row">
      <h2>{text.progress.responses}</h2>
      {all.length > 1 ? (
        <select
          aria-label={text.progress.generation}
          value={generation.id}
          onChange={(event) => go({ ...NOWHERE, cycle: generation.cycle, generation: Number(event.target.value) })}
        >
          {all.toReversed().map((each) => (
            <option key={each.id} value={each.id}>
              {text.progress.generationAt(each.id, clock(each.created_at))}
            </option>
          ))}
        </select>
      ) : (
        <span className="muted">{text.progress.generationNumber(generation.id)}</span>
      )}
      <span className="muted summary">{summary(generation.slots, running)}</span>
      {/* Announced at the start and at the end, not for each response that ends. */}
      <span className="hidden" role="status">
        {running > 0 ? text.progress.areRunning : summary(generation.slots, 0)}
      </span>
      <span className="push row">
        <AllButtons generation={generation} />
        <CheckBar generation={generation} />
      </span>
    </div>
  );
}

function summary(slots: ReadonlyArray<SlotProgress>, running: number): string {
  const counts = new Map<string, number>();
  for (const slot of slots) {
    if (!isActive(slot)) counts.set(slot.status, (counts.get(slot.status) ?? 0) + 1);
  }
  const ended = [...counts].map(([status, count]) => text.progress.ended(count, status));
  return [...(running ? [text.progress.running(running)] : []), ...ended].join(", ");
}
