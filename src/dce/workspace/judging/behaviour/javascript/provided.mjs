// What a probe finds around it: functions that it may give to the code under test, and how what never settles is told from what is slow.

const QUIET_TURNS = 30; // of the event loop, in which nothing is under way: who waits then waits for ever

/** Sees that a promise will never settle: nothing that could settle it is under way any more. What was under way before does not count. */
export class Quiet {
  constructor() {
    this.before = this.underWay();
    this.isLate = false;
  }

  underWay() {
    return process.getActiveResourcesInfo?.().filter((name) => name !== "Immediate").length ?? Infinity;
  }

  /** Whether the promise settled. `busy`: gives a promise while somebody else waits. */
  async ended(promise, limitMs, busy = () => null) {
    let isDone = false;
    promise.then(() => (isDone = true), () => (isDone = true));
    const end = performance.now() + limitMs;
    for (let turns = 0; turns < QUIET_TURNS; turns += 1) {
      await new Promise((resolve) => setImmediate(resolve));
      if (isDone) return true;
      if (busy()) {
        await Promise.race([busy(), promise.catch(() => {})]);
        turns = -1;
      } else if (this.underWay() > this.before) {
        await new Promise((resolve) => setTimeout(resolve, 1)); // no need to hurry
        turns = -1;
      }
      if (isDone) return true;
      if (performance.now() > end) {
        this.isLate = true;
        return false;
      }
    }
    return false;
  }
}

/** A function that tells what it is called with. */
export function seen(run, recorder) {
  return function (...words) {
    recorder.record(words);
    return run.apply(this, words);
  };
}

/** A function that gives its value some turns of the event loop later. */
export function slow(turns, run) {
  return async function (...words) {
    for (let turn = 0; turn < turns; turn += 1) await new Promise((resolve) => setImmediate(resolve));
    return run.apply(this, words);
  };
}

/** A function that fails so many times before it works. Each failure has a name of its own: which one reaches the caller is seen. */
export function fails(times, run) {
  let left = times;
  const fail = (at) => Object.assign(new Error("made up"), { name: `MadeUp${at}` });
  if (run.constructor.name === "AsyncFunction") {
    return async function (...words) {
      if (left > 0) throw fail(times - --left);
      return run.apply(this, words);
    };
  }
  return function (...words) {
    if (left > 0) throw fail(times - --left);
    return run.apply(this, words);
  };
}

/** A function that remembers its calls, as `vi.fn` and `jest.fn` make them. */
export function mock(implementation = () => undefined) {
  const once = [];
  const calls = [];
  const results = [];
  let act = implementation;
  const fn = function (...words) {
    calls.push(words);
    const value = (once.shift() ?? act).apply(this, words);
    results.push({ type: "return", value });
    return value;
  };
  fn.mock = { calls, results, get lastCall() { return calls.at(-1); }, callCount: () => calls.length };
  const setters = {
    mockImplementation: (next) => (act = next),
    mockImplementationOnce: (next) => once.push(next),
    mockReturnValue: (value) => (act = () => value),
    mockReturnValueOnce: (value) => once.push(() => value),
    mockResolvedValue: (value) => (act = async () => value),
    mockRejectedValue: (value) => (act = async () => { throw value; }),
    mockClear: () => [calls, results].forEach((list) => (list.length = 0)),
    mockReset: () => [calls, results, once].forEach((list) => (list.length = 0)),
    mockRestore: () => {},
  };
  for (const [name, set] of Object.entries(setters)) {
    Object.defineProperty(fn, name, { value: (value) => (set(value), fn), enumerable: false });
  }
  return fn;
}

export function spy(object, name, implementation) {
  const fn = mock(implementation ?? object[name]);
  object[name] = fn;
  return fn;
}
