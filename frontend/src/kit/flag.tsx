// A flag of an answer or a file, with its meaning.

import { text } from "../messages";

export function Flag({ flag }: { flag: string }) {
  return (
    <span className="flag" title={text.flags.meaning(flag)}>
      {text.flags.name(flag)}
    </span>
  );
}
