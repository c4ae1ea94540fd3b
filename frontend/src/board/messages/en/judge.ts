// A judge's advice.

const listed = (slots: ReadonlyArray<number>) =>
  slots.length < 2 ? slots.join() : `${slots.slice(0, -1).join(", ")} and ${slots[slots.length - 1]}`;

export const judge = {
  ask: "Ask a judge",
  asking: "Asking…",
  askTitle: "A model compares the responses at the top that the board cannot tell apart, each pair in both orders",
  card: "Judge",
  own: "Default",
  prefers: (by: string, best: number, slots: ReadonlyArray<number>) =>
    `The judge${by && ` (${by})`} prefers response ${best} to ${listed(slots.filter((slot) => slot !== best))}. This does not change the rank.`,
  unsure: (by: string, slots: ReadonlyArray<number>) =>
    `The judge${by && ` (${by})`} is unsure which of ${listed(slots)} is best.`,
};
