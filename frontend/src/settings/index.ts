// Settings and model cards. Other areas import from here only.

export { HostNotice } from "./hostnotice";
export { SettingsScreen } from "./settings";
export { chooseCard, loadSettings } from "./state/settings";
