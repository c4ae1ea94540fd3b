// The texts in English. The other languages have the same shape.

import { accept } from "../accept/messages/en/accept";
import { behaviour } from "../board/messages/en/behaviour";
import { board } from "../board/messages/en/board";
import { checks } from "../board/messages/en/checks";
import { judge } from "../board/messages/en/judge";
import { progress } from "../board/messages/en/progress";
import { context } from "../context/messages/en/context";
import { cycle } from "../cycle/messages/en/cycle";
import { manual } from "../cycle/messages/en/manual";
import { steps } from "../cycle/messages/en/steps";
import { history } from "../history/messages/en/history";
import { flags } from "../kit/messages/en/flags";
import { followup } from "../review/messages/en/followup";
import { review } from "../review/messages/en/review";
import { settings } from "../settings/messages/en/settings";
import { shell } from "../shell/messages/en/shell";

export const en = {
  accept,
  behaviour,
  board,
  checks,
  context,
  cycle,
  flags,
  followup,
  history,
  judge,
  manual,
  progress,
  review,
  settings,
  shell,
  steps,
};
