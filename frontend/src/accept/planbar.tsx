// The plan: picks from several responses, file by file, reviewed with their conflicts and then written together.

import { useEffect, useState } from "react";
import { errorBody } from "../api/client";
import type { Clash, ErrorBody, FilePlan, PreviewView } from "../api/generated";
import { Dialog } from "../kit/dialog";
import { DiffBox } from "../kit/diffbox";
import { ErrorLine } from "../kit/errorline";
import { Cross } from "../kit/icons";
import { text } from "../messages";
import { use } from "../state/store";
import type { Plan } from "./state/picks";
import { decide, planOf, previewPlan, setPlan, writePlan } from "./state/plan";

const SIDES = ["first", "second", "both"] as const;

export function PlanBar({ generation }: { generation: number }) {
  const plan = planOf(generation).use();
  const [isOpen, setOpen] = useState(false);
  if (plan.length === 0) return null;
  return (
    <section className="plan-bar" aria-label={text.accept.plan}>
      <div className="row">
        <b>{text.accept.planFiles(plan.length)}</b>
        {plan.map((file) => (
          <span key={file.path} className="plan-file">
            <span className="path">{file.path}</span>
            <span className="muted">{text.accept.from(file.picks.map((pick) => pick.slot))}</span>
            <button
              type="button"
              className="quiet small"
              aria-label={text.accept.removeFromPlan(file.path)}
              onClick={() =>
                setPlan(
                  generation,
                  plan.filter((each) => each.path !== file.path),
                )
              }
            >
              <Cross />
            </button>
          </span>
        ))}
        <span className="row push">
          <button type="button" className="quiet" onClick={() => setPlan(generation, [])}>
            {text.accept.discardPlan}
          </button>
          <button type="button" className="primary" onClick={() => setOpen(true)}>
            {text.accept.reviewPlan}
          </button>
        </span>
      </div>
      <Dialog title={text.accept.planTitle} isOpen={isOpen} onClose={() => setOpen(false)} isWide>
        <Preview generation={generation} plan={plan} onClose={() => setOpen(false)} />
      </Dialog>
    </section>
  );
}

type Looked = PreviewView | ErrorBody;
const isError = (looked: Looked): looked is ErrorBody => "code" in looked;

function Preview({ generation, plan, onClose }: { generation: number; plan: Plan; onClose: () => void }) {
  const [looked, setLooked] = useState<ReadonlyMap<string, Looked>>(new Map());
  const isBusy = use((state) => state.busy.has("accept"));
  useEffect(() => {
    let isCurrent = true;
    const look = async (file: FilePlan) => {
      const found: Looked = await previewPlan(generation, file).catch(errorBody);
      return [file.path, found] as const;
    };
    void Promise.all(plan.map(look)).then((found) => isCurrent && setLooked(new Map(found)));
    return () => {
      isCurrent = false;
    };
  }, [generation, plan]);
  const isReady =
    looked.size === plan.length && [...looked.values()].every((each) => !isError(each) && each.problem === "");
  return (
    <>
      <p>{text.accept.explain}</p>
      {plan.map((file) => {
        const found = looked.get(file.path);
        return (
          <section key={file.path} className="plan-preview" aria-label={file.path}>
            <h3>
              <span className="path">{file.path}</span> {text.accept.from(file.picks.map((pick) => pick.slot))}
            </h3>
            {found === undefined ? (
              <p className="empty">{text.shell.loading}</p>
            ) : isError(found) ? (
              <ErrorLine error={found} />
            ) : (
              <>
                {found.clashes.map((clash, index) => (
                  <Conflict
                    key={`${clash.first_slot} ${clash.second_slot} ${clash.conflict.line}`}
                    clash={clash}
                    choice={file.choices[index] ?? ""}
                    name={`${file.path} ${index}`}
                    onDecide={(side) => decide(generation, file.path, index, side)}
                  />
                ))}
                <DiffBox path={file.path} before={found.before ?? ""} after={found.after} layout="unified" />
              </>
            )}
          </section>
        );
      })}
      <div className="row buttons">
        <button type="button" onClick={onClose}>
          {text.shell.cancel}
        </button>
        <button
          type="button"
          className="primary push"
          disabled={!isReady || isBusy}
          onClick={async () => {
            if (await writePlan(generation)) onClose();
          }}
        >
          {text.accept.write(plan.length)}
        </button>
      </div>
    </>
  );
}

interface ConflictProps {
  clash: Clash;
  /** The decision made here; the preview follows it. */
  choice: Clash["choice"];
  name: string;
  onDecide: (side: "first" | "second" | "both") => void;
}

function Conflict({ clash, choice, name, onDecide }: ConflictProps) {
  const { conflict, first_slot: first, second_slot: second } = clash;
  const label = { first: text.accept.side(first), second: text.accept.side(second), both: text.accept.bothSides };
  const words = { first: conflict.first, second: conflict.second, both: conflict.first + conflict.second };
  return (
    <fieldset className={choice ? "conflict" : "conflict is-open"}>
      <legend>{text.accept.conflict(conflict.line, choice !== "")}</legend>
      {SIDES.map((side) => (
        <label key={side} className="conflict-side">
          <span className="row">
            <input type="radio" name={name} checked={choice === side} onChange={() => onDecide(side)} />
            {label[side]}
          </span>
          <pre>{words[side] || text.accept.nothingThere}</pre>
        </label>
      ))}
    </fieldset>
  );
}
