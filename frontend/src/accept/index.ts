// Accepting: the plan of what to write, writing it, restoring. Other areas import from here only.

export { PlanBar } from "./planbar";
export { Restore, RestoreBar } from "./restore";
export { changedLines, type Picked, pickedOf, withPicked } from "./state/picks";
export { planOf, setPlan } from "./state/plan";
export { accept } from "./state/writing";
export { WriteDialog } from "./writes";
