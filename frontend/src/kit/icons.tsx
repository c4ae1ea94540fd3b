// Small line icons, inline so that nothing is loaded for them. All are decorative: the text next to them says the same.

import type { ReactNode } from "react";
import type { Status } from "../api/generated";

export function Icon({ children, className = "" }: { children: ReactNode; className?: string }) {
  return (
    <svg className={`icon ${className}`} viewBox="0 0 16 16" aria-hidden="true">
      {children}
    </svg>
  );
}

const STATUS_SHAPES: Readonly<Record<Status, ReactNode>> = {
  queued: <circle cx="8" cy="8" r="5.5" strokeDasharray="2 2.3" />,
  connecting: <path d="M8 2.5a5.5 5.5 0 1 1-5.5 5.5" />,
  waiting: <path d="M8 4.5V8l2.5 1.5M8 2.5a5.5 5.5 0 1 1 0 11a5.5 5.5 0 0 1 0-11" />,
  thinking: <path d="M8 2.5a5.5 5.5 0 1 1-5.5 5.5" />,
  generating: <path d="M8 2.5a5.5 5.5 0 1 1-5.5 5.5" />,
  complete: <path d="m3.5 8.5 3 3 6-7" />,
  truncated: <path d="M3 8h6m2.5-4v8" />,
  stopped: <rect x="4" y="4" width="8" height="8" rx="1" />,
  error: <path d="m4 4 8 8m0-8-8 8" />,
  interrupted: <path d="M9 2 5 8.5h5L7 14" />,
};

const AT_WORK: ReadonlySet<Status> = new Set(["connecting", "thinking", "generating"]);

export function StatusIcon({ status }: { status: Status }) {
  return <Icon className={`status-${status}${AT_WORK.has(status) ? " spins" : ""}`}>{STATUS_SHAPES[status]}</Icon>;
}

export const Chevron = () => (
  <Icon className="chevron">
    <path d="m6 4 4 4-4 4" />
  </Icon>
);
export const Plus = () => (
  <Icon>
    <path d="M8 3v10M3 8h10" />
  </Icon>
);
export const Check = () => (
  <Icon>
    <path d="m3.5 8.5 3 3 6-7" />
  </Icon>
);
export const Dash = () => (
  <Icon>
    <path d="M4 8h8" />
  </Icon>
);
export const Cross = () => (
  <Icon>
    <path d="m4 4 8 8m0-8-8 8" />
  </Icon>
);
export const Refresh = () => (
  <Icon>
    <path d="M13 8a5 5 0 1 1-1.6-3.7M13 2.5v3h-3" />
  </Icon>
);
export const Passing = () => (
  <Icon className="is-passing">
    <circle cx="8" cy="8" r="6" />
    <path d="m5.3 8.2 2 2 3.6-4" />
  </Icon>
);
export const Failing = () => (
  <Icon className="is-failing">
    <circle cx="8" cy="8" r="6" />
    <path d="M8 5v3.5m0 2.4v.1" />
  </Icon>
);
