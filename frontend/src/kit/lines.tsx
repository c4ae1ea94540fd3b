// How many lines of a file a response adds and removes, and what kind of change it is.

import { text } from "../messages";

export function Lines({ change, added, removed }: { change: string | null; added: number; removed: number }) {
  if (change === "same") return <span className="muted">{text.board.unchanged}</span>;
  return (
    <span className="lines">
      {change === "new" && <span className="badge">{text.board.isNew}</span>}
      {change === "deleted" && <span className="badge">{text.board.isDeleted}</span>}
      {change === "renamed" && <span className="badge">{text.board.isRenamed}</span>}
      {change === "mode" && <span className="badge">{text.board.isMode}</span>}
      <span className="added">+{added}</span> <span className="removed">−{removed}</span>
    </span>
  );
}
