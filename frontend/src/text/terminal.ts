// What a program printed for a terminal, as plain text.

/** Colours and other control sequences: CSI, OSC, and the short ones. */
// oxlint-disable-next-line no-control-regex
const SEQUENCE = /\u001b(?:\[[0-?]*[ -/]*[@-~]|\][^\u0007\u001b]*(?:\u0007|\u001b\\)|[@-Z\\^_])/g;
// oxlint-disable-next-line no-control-regex
const CONTROL = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f]/g;

/** Without colours; a line that was written over by carriage returns is as it stood last. */
export function plainText(output: string): string {
  return output
    .replace(SEQUENCE, "")
    .replaceAll("\r\n", "\n")
    .split("\n")
    .map((line) => line.replace(/\r+$/, "").split("\r").at(-1) ?? "")
    .join("\n")
    .replace(CONTROL, "");
}
