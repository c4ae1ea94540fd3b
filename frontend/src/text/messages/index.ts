// Every visible text of the panel, by area: `text.<area>.<name>`. Components contain none (checked by `npm run check`).

import { accept } from "./accept";
import { behaviour } from "./behaviour";
import { board } from "./board";
import { checks } from "./checks";
import { context } from "./context";
import { cycle } from "./cycle";
import { followup } from "./followup";
import { history } from "./history";
import { manual } from "./manual";
import { progress } from "./progress";
import { review } from "./review";
import { settings } from "./settings";
import { shell } from "./shell";

export const text = {
  accept,
  behaviour,
  board,
  checks,
  context,
  cycle,
  followup,
  history,
  manual,
  progress,
  review,
  settings,
  shell,
};
