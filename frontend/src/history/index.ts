// History: earlier cycles and versions. Other areas import from here only.

export { HistoryScreen } from "./history";
