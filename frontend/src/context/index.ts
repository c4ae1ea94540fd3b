// The context: which files the prompt shows. Other areas import from here only.

export { Files } from "./files";
export { refreshContext } from "./state/context";
export { openFiles } from "./state/folding";
export { select } from "./state/select";
