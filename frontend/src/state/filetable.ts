// The workspace's files as columns, for a hundred thousand files: the panel sends all of them once, then only changes.

import type { FilesView } from "../api/generated";

/** The estimate for source text that was not counted. */
const BYTES_PER_TOKEN = 4;

export class FileTable {
  readonly cursor: string;
  readonly isCounting: boolean;
  /** The same array as long as no file is added or removed. */
  readonly paths: ReadonlyArray<string>;
  readonly sizes: ReadonlyArray<number>;
  /** Counted, or estimated from the size; 0 for files that cannot be selected and for unread documents. */
  readonly tokens: ReadonlyArray<number>;
  /** 1 if the tokenizer counted it. */
  readonly exact: ReadonlyArray<boolean>;
  readonly excluded: ReadonlyMap<string, string>;
  readonly index: ReadonlyMap<string, number>;

  private constructor(view: FilesView, columns: Columns, index: ReadonlyMap<string, number> | null) {
    this.cursor = view.cursor;
    this.isCounting = view.is_counting;
    this.paths = columns.paths;
    this.sizes = columns.sizes;
    this.tokens = columns.tokens;
    this.exact = columns.exact;
    this.excluded = columns.excluded;
    this.index = index ?? new Map(columns.paths.map((path, at) => [path, at]));
  }

  static of(view: FilesView): FileTable {
    return new FileTable(view, columnsOf(view), null);
  }

  /** The table after the panel's answer, which is a full table or a set of changes. */
  after(view: FilesView): FileTable {
    const fresh = columnsOf(view);
    if (view.is_whole) return new FileTable(view, fresh, null);
    const isSame = view.removed.length === 0 && view.paths.every((path) => this.index.has(path));
    return isSame ? this.patched(view, fresh) : this.merged(view, fresh);
  }

  get hasUsable(): boolean {
    return this.paths.length > this.excluded.size;
  }

  /** One file; undefined if it does not exist. */
  find(path: string): { tokens: number; exact: boolean; excluded: string } | undefined {
    const at = this.index.get(path);
    if (at === undefined) return undefined;
    return { tokens: this.tokens[at] ?? 0, exact: this.exact[at] ?? false, excluded: this.excluded.get(path) ?? "" };
  }

  private patched(view: FilesView, fresh: Columns): FileTable {
    if (view.paths.length === 0) return new FileTable(view, this, this.index);
    const sizes = this.sizes.slice();
    const tokens = this.tokens.slice();
    const exact = this.exact.slice();
    const excluded = new Map(this.excluded);
    for (const [number, path] of fresh.paths.entries()) {
      const at = this.index.get(path) ?? 0;
      sizes[at] = fresh.sizes[number] ?? 0;
      tokens[at] = fresh.tokens[number] ?? 0;
      exact[at] = fresh.exact[number] ?? false;
      const reason = fresh.excluded.get(path);
      if (reason === undefined) excluded.delete(path);
      else excluded.set(path, reason);
    }
    return new FileTable(view, { paths: this.paths, sizes, tokens, exact, excluded }, this.index);
  }

  private merged(view: FilesView, fresh: Columns): FileTable {
    const gone = new Set([...view.removed, ...fresh.paths]);
    const rows = this.paths.flatMap((path, at) =>
      gone.has(path) ? [] : [[path, this.sizes[at] ?? 0, this.tokens[at] ?? 0, this.exact[at] ?? false] as const],
    );
    rows.push(
      ...fresh.paths.map(
        (path, at) => [path, fresh.sizes[at] ?? 0, fresh.tokens[at] ?? 0, fresh.exact[at] ?? false] as const,
      ),
    );
    rows.sort(([a], [b]) => (a < b ? -1 : 1));
    const excluded = new Map([...this.excluded].filter(([path]) => !gone.has(path)));
    for (const [path, reason] of fresh.excluded) excluded.set(path, reason);
    const columns = {
      paths: rows.map(([path]) => path),
      sizes: rows.map(([, size]) => size),
      tokens: rows.map(([, , tokens]) => tokens),
      exact: rows.map(([, , , exact]) => exact),
      excluded,
    };
    return new FileTable(view, columns, null);
  }
}

interface Columns {
  readonly paths: ReadonlyArray<string>;
  readonly sizes: ReadonlyArray<number>;
  readonly tokens: ReadonlyArray<number>;
  readonly exact: ReadonlyArray<boolean>;
  readonly excluded: ReadonlyMap<string, string>;
}

function columnsOf(view: FilesView): Columns {
  const excluded = new Map(Object.entries(view.excluded));
  const documents = new Set(view.documents);
  return {
    paths: view.paths,
    sizes: view.sizes,
    tokens: view.paths.map((path, at) => {
      if (excluded.has(path)) return 0;
      return view.tokens[at] ?? (documents.has(path) ? 0 : Math.ceil((view.sizes[at] ?? 0) / BYTES_PER_TOKEN));
    }),
    exact: Array.from(view.exact, (mark) => mark === "1"),
    excluded,
  };
}
