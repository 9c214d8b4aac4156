// Everything works without this: it keeps what is shown fresh, copies, and knows keys.
"use strict";
const policy = window.trustedTypes?.createPolicy("console", { createHTML: (text) => text });
const parse = (text) => new DOMParser().parseFromString(policy ? policy.createHTML(text) : text, "text/html");
const $ = (selector, from = document) => from.querySelector(selector);

// --- Fresh regions: fetched again while the page is seen, and replaced where they changed and nobody is at work there.
// A stream names the topics that changed after a position, to all who look at the same moment. Without one, and for
// what is told by the clock alone, everything is fetched from time to time: with what is told, if something is.
const PERIOD = 3000, POLL = 10000, SLOW = 30000, QUIET = 20000, MINUTE = 60000, REHEARSES_AFTER = 700; // ms
const root = document.body.dataset.root;
const fresh = () => [...document.querySelectorAll("[data-fresh]")];
const busy = (region) => region.contains(document.activeElement) && document.activeElement !== document.body
  || $(":popover-open", region) !== null
  || String(getSelection()) !== "" && region.contains(getSelection().anchorNode);
const topicsOf = (region) => region.dataset.fresh.split(" ");
const live = $("#live");
let hasStream = false, heardAt = 0, asOf = Date.now();
function tell() { // whether what is shown is of this moment or, where that is not known, of which
  if (!live) return;
  const isLost = live.classList.contains("lost");
  live.classList.toggle("on", hasStream && !isLost);
  live.lastElementChild.textContent = hasStream && !isLost ? "Live" : `as of ${new Date(asOf).toISOString().slice(11, 19)} UTC`;
}
function lose(isLost) {
  live?.classList.toggle("lost", isLost);
  $("main").classList.toggle("lost", isLost);
  tell();
}
const said = $("#said");
let saidAt = 0, lastSaid = $(".needing")?.textContent;
function summarise(needing) { // for those who hear the page: once a minute at most, and only what is new
  if (!said || needing === undefined || needing === lastSaid || Date.now() - saidAt < MINUTE) return;
  saidAt = Date.now();
  lastSaid = needing;
  said.textContent = needing || "Nothing needs you.";
}
let position = document.body.dataset.position, wanted = new Set(), fetching = false, fetchedAt = Date.now();
async function refresh(topics) {
  for (const each of topics) wanted.add(each);
  if (fetching || document.hidden) return;
  const regions = fresh().filter((region) => topicsOf(region).some((each) => wanted.has(each)));
  wanted = new Set();
  if (!regions.length) return;
  const later = [], askedAt = Date.now();
  fetching = true;
  for (const region of regions) region.ariaBusy = "true"; // it dims where that takes long
  try {
    const told = position ? { "signalpost-told": position } : {}; // then it answers with the main part alone
    const answer = await fetch(location.href, { headers: { accept: "text/html", ...told } });
    if (!answer.ok || answer.redirected) throw new Error(String(answer.status));
    const page = parse(await answer.text());
    const needing = $(".needing", page);
    summarise(needing?.textContent);
    for (const count of ["needing", "noticed"].map((name) => $(`.${name}`, page)))
      if (count) for (const each of document.querySelectorAll(`.${count.className}`)) each.replaceWith(count.cloneNode(true));
    for (const region of regions) {
      region.ariaBusy = null;
      const next = page.getElementById(region.id);
      if (!next || next.outerHTML === region.outerHTML) continue;
      if (busy(region)) { later.push(...topicsOf(region)); continue; }
      const open = new Set([...region.querySelectorAll("details[open]")].map((each) => each.id));
      region.replaceWith(next);
      localise(next);
      for (const each of next.querySelectorAll("details")) if (open.has(each.id)) each.open = true;
    }
    asOf = askedAt;
    lose(false);
  } catch {
    lose(true);
    later.push(...regions.flatMap(topicsOf));
  } finally {
    for (const region of regions) region.ariaBusy = null;
    fetching = false;
  }
  if (wanted.size) refresh([]);
  for (const each of later) wanted.add(each);
}
function refreshAll() {
  fetchedAt = Date.now();
  refresh(fresh().flatMap(topicsOf));
}

let stream = null, refusedAt = -Infinity;
function follow() {
  if (stream || document.hidden || !root || !fresh().length || Date.now() - refusedAt < SLOW) return;
  stream = new EventSource(root + "/live" + (position ? "?after=" + position : ""));
  stream.addEventListener("changed", (event) => {
    position = event.lastEventId;
    heardAt = Date.now();
    if (Date.now() - fetchedAt >= SLOW) refreshAll();
    else refresh(JSON.parse(event.data).topics);
  });
  stream.onopen = () => {
    hasStream = true;
    heardAt = Date.now();
    if (live?.classList.contains("lost")) refreshAll();
    tell();
  };
  stream.onerror = () => {
    if (hasStream) { // it may just have come to its end: whether the gateway answers, a fetch finds out
      asOf = Date.now();
      hasStream = false;
      refreshAll();
      tell();
    }
    if (stream?.readyState !== EventSource.CLOSED) return; // it connects again by itself
    stream = null;
    refusedAt = Date.now();
  };
}
function leave() {
  stream?.close();
  stream = null;
  hasStream = false;
}
setInterval(() => {
  if (hasStream && Date.now() - heardAt >= QUIET) { // a network that is gone says nothing
    asOf = heardAt;
    leave();
  }
  if (stream?.readyState !== EventSource.OPEN || Date.now() - fetchedAt >= SLOW + POLL) refreshAll();
  else refresh([]);
  follow();
}, root ? PERIOD : POLL);
document.addEventListener("visibilitychange", () => {
  if (document.hidden) return leave();
  refreshAll();
  follow();
});
addEventListener("pagehide", leave);
addEventListener("pageshow", follow);

// --- Times as they are here: beside UTC, and where one points at a moment.
function localise(within) {
  const here = (text, options) => new Date(text).toLocaleString([], { hour12: false, ...options });
  if (!new Date().getTimezoneOffset()) return;
  for (const each of within.querySelectorAll("time[title]:not([data-here])")) {
    each.dataset.here = "";
    each.title = `${here(each.dateTime, { dateStyle: "medium", timeStyle: "medium" })} here, ${each.title}`;
  }
  for (const each of within.querySelectorAll("[data-at]")) {
    const isShort = !each.textContent.includes(",");
    each.textContent = `${here(each.dataset.at, { dateStyle: isShort ? undefined : "short", timeStyle: "medium" })} · ${each.textContent}`;
    delete each.dataset.at;
  }
}
localise(document);

// --- Copying
document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  const text = button.dataset.copy === "#link" ? location.href : $(button.dataset.copy)?.value ?? $(button.dataset.copy)?.textContent ?? "";
  await navigator.clipboard.writeText(text.trim());
  const said = button.textContent;
  button.textContent = "Copied";
  setTimeout(() => { button.textContent = said; }, 1500);
});

// --- A form is sent once, however often its button is pressed
document.addEventListener("submit", (event) => {
  if (event.target.dataset.sent) { event.preventDefault(); return; }
  if (event.target.method === "post") event.target.dataset.sent = "yes";
});
addEventListener("pageshow", () => { for (const form of document.forms) delete form.dataset.sent; });
for (const select of document.querySelectorAll("select[data-go]")) {
  select.addEventListener("change", () => { location.href = select.value; });
}

// --- A field is checked when it is left, as saving would: what the page that comes back says of it is shown at it.
document.addEventListener("change", async ({ target }) => {
  const form = target.closest("form[data-checks]"), field = target.closest(".field"), said = target.value;
  if (!form || !field) return;
  const body = new URLSearchParams(new FormData(form));
  body.set("do", "check");
  const answer = await fetch(location.href, { method: "POST", body, redirect: "manual" }); // elsewhere: nothing is wrong
  const page = parse(answer.status === 422 ? await answer.text() : "");
  if (target.value !== said) return;
  const twin = $(`form[data-checks] [name="${CSS.escape(target.name)}"]`, page);
  const wrong = twin?.closest(".field").querySelector("small.wrong");
  field.querySelector("small.wrong")?.remove();
  for (const name of ["aria-invalid", "aria-describedby"]) {
    if (wrong && twin.hasAttribute(name)) target.setAttribute(name, twin.getAttribute(name));
    else target.removeAttribute(name);
  }
  if (!wrong) return;
  wrong.setAttribute("role", "alert");
  field.append(wrong);
});

// --- What a change would have sent is told while it is made: what is typed last counts.
let rehearsing, rehearsesAt;
document.addEventListener("input", ({ target }) => {
  const form = target.closest("form[data-rehearses]");
  if (!form) return;
  clearTimeout(rehearsesAt);
  rehearsesAt = setTimeout(async () => {
    rehearsing?.abort();
    rehearsing = new AbortController();
    const shown = $("#rehearsal", form), body = new URLSearchParams(new FormData(form));
    body.set("do", "rehearse");
    shown.ariaBusy = "true";
    try {
      const answer = await fetch(location.href, { method: "POST", body, redirect: "manual", signal: rehearsing.signal });
      const next = answer.ok && parse(await answer.text()).getElementById("rehearsal");
      if (next) {
        shown.replaceWith(next);
        said.textContent = $("h3", next).textContent; // for those who hear the page
      } else if (answer.status !== 409 && answer.status !== 429) shown.replaceChildren(); // a field says what is wrong
    } catch { /* something newer is asked for */
    } finally { shown.ariaBusy = null; }
  }, REHEARSES_AFTER);
});

// --- A placeholder that is chosen goes where the cursor was last in a field of the same form.
let wroteIn;
document.addEventListener("focusin", ({ target }) => { if (target.matches("textarea, input[name]:is([type=text], :not([type]))")) wroteIn = target; });
for (const picker of document.querySelectorAll("[data-inserts]")) {
  const input = $("input", picker);
  picker.hidden = false;
  input.addEventListener("input", () => {
    const isOne = [...input.list.options].some((each) => each.value === input.value);
    if (!isOne || wroteIn?.form !== input.form) return;
    wroteIn.setRangeText(`{{ ${input.value} }}`, wroteIn.selectionStart, wroteIn.selectionEnd, "end");
    input.value = "";
    wroteIn.focus();
    wroteIn.dispatchEvent(new Event("input", { bubbles: true }));
  });
}

// --- A long choice is found by a part of a name: a field in its place lists the names that fit, and makes the choice.
// On a phone, the choice has the better list.
const finding = matchMedia("(pointer: coarse)").matches ? [] : [...document.querySelectorAll("select[data-finds]")];
const names = document.createElement("datalist");
names.id = "names";
names.append(...[...finding[0]?.options ?? []].map(({ text }) => new Option(text)));
if (finding.length) document.body.append(names);
for (const select of finding) {
  const input = document.createElement("input");
  const chosen = () => select.selectedOptions[0].text, show = () => { input.value = select.value && chosen(); };
  for (const [name, value] of Object.entries({ class: "finds", list: names.id, autocomplete: "off", "aria-label": select.ariaLabel }))
    input.setAttribute(name, value);
  input.addEventListener("focus", () => { input.value = ""; }); // what stands in it would be all that is listed
  input.addEventListener("blur", show);
  input.addEventListener("change", (event) => event.stopPropagation());
  input.addEventListener("keydown", (event) => { if (event.key === "Enter") event.preventDefault(); }); // it sends no form
  input.addEventListener("input", (event) => {
    event.stopPropagation();
    const found = [...select.options].find(({ text }) => text === input.value);
    if (!found) return;
    select.value = found.value;
    input.placeholder = chosen();
    for (const each of ["input", "change"]) select.dispatchEvent(new Event(each, { bubbles: true }));
  });
  input.placeholder = chosen();
  select.hidden = true;
  select.after(input);
  show();
  addEventListener("pageshow", show);
}

// --- Keys
const GO = { o: "", d: "/deliveries", s: "/subscriptions", e: "/events", c: "/documents", r: "/replays" };
const help = $("#keys"), areOn = $("#keys-on");
for (const button of document.querySelectorAll("[data-shows-keys]")) {
  button.hidden = false;
  button.addEventListener("click", () => help.showModal());
}
if (areOn) {
  areOn.checked = localStorage.getItem("keys") !== "off";
  areOn.addEventListener("change", () => localStorage.setItem("keys", areOn.checked ? "on" : "off"));
}
let before = "";
document.addEventListener("keydown", (event) => {
  if (!areOn?.checked || help.open) return; // without a way to turn them off, there are none
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.matches("input, textarea, select")) { if (event.key === "Escape") event.target.blur(); return; }
  if (before === "g" && event.key in GO && root) { location.href = root + GO[event.key]; before = ""; return; }
  before = event.key;
  const rows = [...document.querySelectorAll("main a.row")];
  const at = rows.indexOf(document.activeElement);
  const press = (name) => $(`[data-key="${name}"]`)?.click();
  switch (event.key) {
    case "/": event.preventDefault(); $("#find")?.focus(); break;
    case "f": event.preventDefault(); $("[data-first]")?.focus(); break;
    case "j": rows[Math.min(at + 1, rows.length - 1)]?.focus(); break;
    case "k": rows[Math.max(at - 1, 0)]?.focus(); break;
    case "[": $("a[rel=prev]")?.click(); break;
    case "]": $("a[rel=next]")?.click(); break;
    case "?": help.showModal(); break;
    case "t": case "r": case "n": case "c": press(event.key); break;
  }
});
