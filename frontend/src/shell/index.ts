// The shell: the window around the areas. Other areas import from here only.

export { App } from "./app";
export { connect } from "./stream";
