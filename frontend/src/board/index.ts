// The board: responses as they run, their ranking, their checks. Other areas import from here only.

export { Board, Checks } from "./board";
export { CheckBar } from "./checkbar";
export { ChecksScreen } from "./checkscreen";
export { ResponseChecksPanel } from "./checkview";
export { JudgeBar } from "./judging";
export { AllButtons, Bar, Figures, SlotButtons } from "./progress";
export { outcomeOf } from "./state/checkresults";
export {
  areChecksInView,
  checksFileOf,
  loadChecks,
  loadChecksFile,
  progressed as checksProgressed,
} from "./state/checks";
export { correct } from "./state/judging";
