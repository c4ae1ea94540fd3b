// Follow-ups: the dialog that asks for a new answer made from a response, and where a response was made from.

import { useState } from "react";
import { followUpApi } from "../api/followup";
import type { BoardRow, GenerationView, MadeFrom, SlotProgress } from "../api/generated";
import { Dialog } from "../kit/dialog";
import { text } from "../messages";
import { attempt } from "../state/attempt";
import { use } from "../state/store";
import { goTo } from "../state/window";
import { followUp, isAsking, isBroken, MAX_ROUNDS, othersOf } from "./state/followup";

interface Props {
  generation: GenerationView;
  progress: SlotProgress;
  row: BoardRow | undefined;
}

export function FollowUp({ generation, progress, row }: Props) {
  const [isOpen, setOpen] = useState(false);
  if (progress.tokens.answer === 0) return null;
  return (
    <>
      <button type="button" className="small" title={text.followup.openTitle} onClick={() => setOpen(true)}>
        {text.followup.open}
      </button>
      <Dialog title={text.followup.title(progress.slot)} isOpen={isOpen} onClose={() => setOpen(false)}>
        {isOpen && <Form generation={generation} progress={progress} row={row} onClose={() => setOpen(false)} />}
      </Dialog>
    </>
  );
}

function Form({ generation, progress, row, onClose }: Props & { onClose: () => void }) {
  const { slot, version } = progress;
  const canRepair = isBroken(row);
  const [words, setWords] = useState("");
  const [isFailing, setFailing] = useState(canRepair);
  const [rounds, setRounds] = useState(1);
  const [other, setOther] = useState<number | null>(null);
  const isBusy = use((state) => state.busy.has(`follow-up ${slot}`));
  const order = { version, words, is_failing: isFailing, rounds: isFailing ? rounds : 1, other };
  return (
    <>
      <p>{text.followup.explain}</p>
      <label className="follow-up-words">
        {text.followup.words}
        <textarea
          rows={4}
          value={words}
          placeholder={text.followup.placeholder}
          onChange={(event) => setWords(event.target.value)}
        />
      </label>
      {canRepair && (
        <div className="row">
          <label className="row">
            <input type="checkbox" checked={isFailing} onChange={() => setFailing(!isFailing)} />
            {text.followup.failing}
          </label>
          {isFailing && (
            <label className="row" title={text.followup.roundsTitle}>
              {text.followup.rounds}
              <select value={rounds} onChange={(event) => setRounds(Number(event.target.value))}>
                {Array.from({ length: MAX_ROUNDS }, (_, at) => (
                  <option key={at} value={at + 1}>
                    {at + 1}
                  </option>
                ))}
              </select>
            </label>
          )}
        </div>
      )}
      <label className="row">
        {text.followup.other}
        <select
          value={other ?? ""}
          onChange={(event) => setOther(event.target.value === "" ? null : Number(event.target.value))}
        >
          <option value="">{text.followup.none}</option>
          {othersOf(generation, slot).map((each) => (
            <option key={each.slot} value={each.slot}>
              {text.followup.response(each.slot)}
            </option>
          ))}
        </select>
      </label>
      <div className="row buttons">
        <button type="button" onClick={onClose}>
          {text.shell.cancel}
        </button>
        <button
          type="button"
          className="primary push"
          disabled={isBusy || !isAsking(order)}
          onClick={async () => {
            if (await followUp(slot, order)) onClose();
          }}
        >
          {text.followup.ask}
        </button>
      </div>
    </>
  );
}

/** Where a follow-up comes from, and the message that was sent. */
export function MadeFromLine({ generation, slot, made }: { generation: number; slot: number; made: MadeFrom }) {
  const [asked, setAsked] = useState<string | null>(null);
  const show = () =>
    attempt(`asked ${slot}`, async () => {
      setAsked((await followUpApi.asked(generation, slot)).request);
    });
  return (
    <>
      <div className="row">
        <button type="button" className="quiet small" onClick={() => goTo(made.slot)}>
          {text.followup.made(made)}
        </button>
        <button
          type="button"
          className="quiet small"
          aria-expanded={asked !== null}
          onClick={() => (asked === null ? show() : setAsked(null))}
        >
          {asked === null ? text.followup.show : text.followup.hide}
        </button>
      </div>
      {asked !== null && (
        <textarea className="follow-up-request" rows={8} readOnly aria-label={text.followup.show} value={asked} />
      )}
    </>
  );
}
