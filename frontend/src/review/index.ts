// Review: one response, its diff, its picks. Other areas import from here only.

export { Responses } from "./responses";
