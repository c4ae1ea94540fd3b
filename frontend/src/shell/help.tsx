// The list of keyboard shortcuts, and their handler.

import { useEffect } from "react";
import { Dialog } from "../kit/dialog";
import { text } from "../messages";
import { useOffer } from "../state/offers";
import { actionOf, KEYMAP } from "./keymap";

export function Help({ isOpen, onClose }: { isOpen: boolean; onClose: () => void }) {
  return (
    <Dialog title={text.shell.keysTitle} isOpen={isOpen} onClose={onClose}>
      <dl className="keys">
        {KEYMAP.map(({ name }) => (
          <div key={name}>
            <dt>
              <kbd>{text.shell.keys[name].keys}</kbd>
            </dt>
            <dd>{text.shell.keys[name].does}</dd>
          </div>
        ))}
      </dl>
      <p className="muted">{text.shell.keysNote}</p>
      <div className="row buttons">
        <button type="button" className="primary push" onClick={onClose}>
          {text.shell.close}
        </button>
      </div>
    </Dialog>
  );
}

export function useKeys(onHelp: () => void): void {
  useOffer("help", onHelp);
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      const act = actionOf(event);
      if (!act) return;
      event.preventDefault();
      act();
    };
    addEventListener("keydown", onKey);
    return () => removeEventListener("keydown", onKey);
  }, []);
}
