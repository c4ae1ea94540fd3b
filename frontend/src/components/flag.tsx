// A flag of an answer or a file, with its meaning.

import { text } from "../text/messages";

export function Flag({ flag }: { flag: string }) {
  return (
    <span className="flag" title={text.review.flagMeaning(flag)}>
      {text.review.flagName(flag)}
    </span>
  );
}
