"""What the walk over controls runs in the page: to wait, to list controls, to watch for effects, and to tell whether they are undone."""

REST = """
() => new Promise(resolve => {
  let since = performance.now();
  const watch = new MutationObserver(() => { since = performance.now(); });
  watch.observe(document, { subtree: true, childList: true, characterData: true, attributes: true });
  const look = () => {
    if (performance.now() - since < 60) return requestAnimationFrame(look);
    watch.disconnect();
    resolve();
  };
  requestAnimationFrame(look);
})
"""

FRAMES = "() => new Promise(resolve => requestAnimationFrame(() => requestAnimationFrame(resolve)))"

IDLE = 'const idle = name => /^data-(focus|hover|press|react-aria|rac)/.test(name) || name === "tabindex" || name === "id";'
"""Attributes whose change is no effect."""

WATCH = """
control => {
  window.unwatch?.();
  window.effects = [];
  const note = what => window.effects.push(what);
  NOT_AN_EFFECT
  const observer = new MutationObserver(records => {
    for (const record of records) {
      if (record.type !== "attributes") note(record.type);
      else if (!idle(record.attributeName) && record.target.getAttribute(record.attributeName) !== record.oldValue)
        note("attribute " + record.attributeName);
    }
  });
  observer.observe(document, { subtree: true, childList: true, characterData: true, attributes: true, attributeOldValue: true });
  const ended = new AbortController(), options = { capture: true, signal: ended.signal };
  addEventListener("hashchange", () => note("address"), options);
  addEventListener("scroll", () => note("scroll"), options);
  addEventListener("focusin", event => { if (event.target !== control && !control.contains(event.target)) note("focus"); }, options);
  const clipboard = navigator.clipboard, write = clipboard?.writeText;
  if (write) clipboard.writeText = text => { note("clipboard"); return write.call(clipboard, text); };
  window.unwatch = () => {
    observer.disconnect();
    ended.abort();
    if (write) clipboard.writeText = write;
  };
}
""".replace("NOT_AN_EFFECT", IDLE)

DESCRIBE = """
([controls, own]) => [...document.querySelectorAll(controls)].map((each, index) => {
  each.scrollIntoView({ block: "nearest" });
  const box = each.getBoundingClientRect();
  const style = getComputedStyle(each);
  const top = document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2);
  const isReached = top !== null && (each.contains(top) || [...(each.labels ?? [])].some(label => label.contains(top)));
  const isShown = isReached && style.visibility !== "hidden" && !each.closest("[inert], [aria-hidden=true]");
  const isOwn = each.closest(own) !== null;
  const isIdle = each.disabled || each.closest("fieldset:disabled") !== null || each.readOnly
    || each.getAttribute("aria-disabled") === "true"
    || each.getAttribute("aria-current") !== null && each.getAttribute("aria-current") !== "false"
    || each.getAttribute("aria-selected") === "true" && each.getAttribute("role") === "tab"
    || each.getAttribute("aria-pressed") === "true" || each.getAttribute("role") === "radio" && each.ariaChecked === "true"
    || each.type === "radio" && each.checked;
  const label = each.getAttribute("aria-label") || each.labels?.[0]?.innerText || each.innerText || each.getAttribute("placeholder") || "";
  return { tag: each.tagName.toLowerCase(), type: each.type ?? "", label: label.trim().slice(0, 60), index, isShown, isIdle, isOwn };
}).filter(each => each.isOwn)
"""

REMEMBER = """
([controls, index]) => {
  NOT_AN_EFFECT
  const all = () => [...document.querySelectorAll("*")];
  const reference = /^(for|aria-(controls|describedby|labelledby|owns|activedescendant))$/; // to ids, which are dealt out anew
  const told = each => [
    each.tagName,
    ...[...each.attributes].filter(({ name, value }) => !idle(name) && !reference.test(name) && (name !== "style" || value))
      .map(({ name, value }) => name + "=" + value),
    ...(each.childElementCount ? [] : [each.textContent]),
    each.value, each.checked, each.selectedIndex, each.open, each.indeterminate,
  ].join(" ");
  const state = () => JSON.stringify([
    location.href, document.body.innerText, all().map(told), all().indexOf(document.activeElement),
  ]);
  const dialogs = () => document.querySelectorAll("[role=dialog]").length;
  const every = () => [...document.querySelectorAll(controls)];
  const isPressed = each => each?.ariaPressed === "true";
  const toggled = each => [each.ariaPressed, each.ariaExpanded, each.ariaChecked, each.checked, each.parentElement?.open].join(" ");
  const active = document.activeElement, control = every()[index];
  const scrolled = all().filter(each => each.scrollTop || each.scrollLeft).map(each => [each, each.scrollTop, each.scrollLeft]);
  const stores = [sessionStorage, localStorage].map(store => [store, Object.entries(store)]);
  const was = {
    state: state(), entry: navigation.currentEntry.index, dialogs: dialogs(), value: control.value, toggled: toggled(control), pressed: every().filter(isPressed),
  };
  window.wayBack = () => {
    if (navigation.currentEntry.index > was.entry) return ["back", index];
    if (dialogs() > was.dialogs) return ["escape", index];
    if (every()[index] !== control) return ["", index];
    if (control.value !== was.value) return ["value", index];
    const released = was.pressed.find(each => each !== control && each.isConnected && !isPressed(each)); // of a choice of one
    if (released) return ["press", every().indexOf(released)];
    return [toggled(control) === was.toggled ? "" : "press", index];
  };
  window.isAsBefore = () => {
    if (document.activeElement !== active) active === document.body ? document.activeElement?.blur() : active.focus({ preventScroll: true });
    for (const each of all()) if (each.scrollTop || each.scrollLeft) each.scrollTo({ left: 0, top: 0, behavior: "instant" });
    for (const [each, top, left] of scrolled) each.scrollTo({ left, top, behavior: "instant" });
    for (const [store, items] of stores) {
      store.clear();
      for (const [name, value] of items) store.setItem(name, value);
    }
    return state() === was.state && scrolled.every(([each, top, left]) => each.scrollTop === top && each.scrollLeft === left);
  };
  return was.value ?? "";
}
""".replace("NOT_AN_EFFECT", IDLE)
