"use strict";
// The viewer of single items. Data become text nodes and nothing else: no markup is ever made of them.

const PAGE = 50, COLUMNS = 40;
const VERDICTS = { right: "✓ right", wrong: "✗ wrong", masked: "○ masked" };
const ODD = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff]|\p{Cs}/u;
const byId = (id) => document.getElementById(id);
const narrow = matchMedia("(max-width: 52rem)");

// ---- elements

function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null));
  return element;
}

// A text in which nothing is hidden: characters that steer the layout or cannot be shown are named.
function plain(text) {
  const whole = document.createDocumentFragment();
  for (let rest = String(text); rest; ) {
    const found = ODD.exec(rest);
    whole.append(found ? rest.slice(0, found.index) : rest);
    if (!found) break;
    const code = found[0].codePointAt(0).toString(16).toUpperCase().padStart(4, "0");
    whole.append(make("span", { class: "odd", title: `the character U+${code}` }, `⟨${code}⟩`));
    rest = rest.slice(found.index + found[0].length);
  }
  return whole;
}

// ---- data

async function unpack(id) {
  const bytes = Uint8Array.from(atob(JSON.parse(byId(id).textContent)), (each) => each.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return JSON.parse(await new Response(stream).text());
}

const parts = new Map();
function details(place) {
  const part = Math.floor(place / data.part);
  if (!parts.has(part)) parts.set(part, unpack(`part-${part}`));
  return parts.get(part).then((found) => found[place % data.part]);
}

// ---- filters: each tells which entries it lets through, and which values there are

let data, facets, shown = [], state = {};

const answers = (entry, run) =>
  run === undefined ? Object.values(entry.items) : run in entry.items ? [entry.items[run]] : [];

function ofItems(key, label, values) {
  return { key, label, values, test: (entry, value) => answers(entry, state.run).some((item) => values(item).includes(value)) };
}

function ofEntries(key, label, value) {
  return { key, label, values: (item, entry) => [value(entry)], test: (entry, wanted) => value(entry) === wanted };
}

function makeFacets() {
  const runs = data.runs.map((run) => run.name);
  const found = [
    { key: "run", label: "Run", test: (entry, run) => run in entry.items, options: runs.map((name, i) => [String(i), name]) },
    ofItems("verdict", "Verdict", (item) => [item.verdict]),
    { key: "flip", label: "Flips", test: flips, options: flipOptions(runs) },
    ofItems("class", "Error class", (item) => item.classes.slice(0, 1).filter(Boolean)),
    ofItems("applies", "Error class that applies", (item) => item.classes.filter(Boolean)),
    ofItems("status", "How the query ended", (item) => [item.status]),
    ofEntries("difficulty", "Difficulty", (entry) => entry.difficulty),
    ofEntries("db", "Database", (entry) => entry.db),
    ofItems("step", "Step", (item) => (item.step === null ? [] : [String(item.step)])),
    ...Object.keys(data.groups).map((group) => ofEntries(group, `Gold: ${group}`, (entry) => entry.features[group] ?? "")),
  ];
  for (const facet of found) facet.options ??= options(facet);
  return found.filter((facet) => facet.options.length > 1);
}

function options(facet) {
  const counts = new Map();
  for (const entry of data.entries) {
    const values = new Set(Object.values(entry.items).flatMap((item) => facet.values(item, entry)));
    for (const value of values) if (value) counts.set(value, (counts.get(value) ?? 0) + 1);
  }
  const known = data.groups[facet.key] ?? (facet.key === "class" || facet.key === "applies" ? Object.keys(data.classes) : null);
  const order = (value) => (known ? known.indexOf(value) : 0);
  const natural = new Intl.Collator("en", { numeric: true }).compare;
  const sorted = [...counts].sort(([a], [b]) => order(a) - order(b) || natural(a, b));
  return sorted.map(([value, count]) => [value, `${value} (${count.toLocaleString("en")})`]);
}

function flipOptions(runs) {
  const evaluations = data.runs.flatMap((run, i) => (run.training ? [] : [i]));
  const found = evaluations.length > 1 ? [["any", "the runs disagree"]] : [];
  for (const a of evaluations) {
    for (const b of evaluations.filter((other) => other > a)) {
      found.push([`gained-${a}-${b}`, `only ${runs[b]} is right, not ${runs[a]}`]);
      found.push([`lost-${a}-${b}`, `only ${runs[a]} is right, not ${runs[b]}`]);
    }
  }
  return found;
}

function flips(entry, value) {
  if (value === "any") return ["right", "wrong"].every((verdict) => answers(entry).some((item) => item.verdict === verdict));
  const [way, a, b] = value.split("-");
  const [right, wrong] = way === "gained" ? [b, a] : [a, b];
  return entry.items[right]?.verdict === "right" && entry.items[wrong]?.verdict === "wrong";
}

function haystack(entry) {
  entry.words ??= [entry.id, entry.db, entry.question, entry.evidence, entry.gold,
    ...Object.values(entry.items).flatMap((item) => [item.sql, item.error])].join("\n").toLowerCase();
  return entry.words;
}

// With a run chosen, what is asked of items is asked of one and the same item of it.
function search() {
  const words = (state.q ?? "").toLowerCase().split(/\s+/).filter(Boolean);
  const used = facets.filter((facet) => state[facet.key] !== undefined);
  shown = data.entries.flatMap((entry, place) =>
    used.every((facet) => facet.test(entry, state[facet.key])) && words.every((word) => haystack(entry).includes(word)) ? [place] : []);
}

// ---- the address: what is looked at is a link

function read() {
  const [view, query] = location.hash.replace(/^#\/?/, "").split("?");
  state = {};
  for (const [key, value] of new URLSearchParams(query ?? "")) state[key] = value;
  return view === "items" ? "items" : "overview";
}

function write(changes, remember = false) {
  state = { ...state, ...changes };
  for (const key of Object.keys(state)) if (state[key] === undefined || state[key] === "") delete state[key];
  const hash = `#/items?${new URLSearchParams(state)}`;
  remember ? history.pushState(null, "", hash) : history.replaceState(null, "", hash);
}

// ---- the list

const current = () => shown.indexOf(Number(state.item ?? -1));

function drawList() {
  const pages = Math.max(1, Math.ceil(shown.length / PAGE)), at = Math.max(0, current());
  const first = Math.min(pages - 1, Number(state.page ?? Math.floor(at / PAGE)) || 0) * PAGE;
  const page = shown.slice(first, first + PAGE), chosen = shown[at];
  byId("list").replaceChildren(...page.map((place) => row(place, place === chosen)));
  byId("list").setAttribute("aria-activedescendant", chosen === undefined ? "" : `row-${chosen}`);
  byId("found").textContent = `${shown.length.toLocaleString("en")} of ${data.entries.length.toLocaleString("en")} items`;
  byId("page").textContent = `${first / PAGE + 1} of ${pages}`;
  byId("pages").dataset.first = String(first);
  byId("before").disabled = first === 0;
  byId("after").disabled = first + PAGE >= shown.length;
  byId("pages").hidden = pages === 1;
  if (!narrow.matches) byId(`row-${chosen}`)?.scrollIntoView({ block: "nearest" });
}

function row(place, chosen) {
  const entry = data.entries[place], found = Object.entries(entry.items);
  const where = [entry.db, entry.difficulty, found.length === 1 && found[0][1].step !== null ? `step ${found[0][1].step}` : "",
    found.length === 1 ? found[0][1].classes[0] : ""].filter(Boolean).join(" · ");
  const line = make("li", { id: `row-${place}`, role: "option", "aria-selected": String(chosen) },
    make("div", { class: "ask", dir: "auto" }, plain(entry.question.slice(0, 300))),
    make("div", { class: "about" }, make("span", { class: "where" }, plain(where)), verdicts(found)));
  line.addEventListener("click", () => open(place));
  return line;
}

function verdicts(found) {
  if (found.length === 1) return verdict(found[0][1]);
  const marks = found.map(([run, item]) => make("span",
    { class: `verdict ${item.verdict}-answer`, title: `${data.runs[run].name}: ${item.verdict}`, "aria-label": `${item.verdict}` },
    VERDICTS[item.verdict][0]));
  return make("span", {}, ...marks.flatMap((mark) => [mark, " "]));
}

const verdict = (item) => make("span", { class: `verdict ${item.verdict}-answer` }, VERDICTS[item.verdict]);

function open(place, focus = false) {
  write({ item: String(place), page: undefined }, state.item === undefined);
  drawList();
  drawDetail();
  if (narrow.matches) scrollTo(0, 0);
  if (focus && !narrow.matches) byId("list").focus({ preventScroll: true });
}

function step(by) {
  if (!shown.length) return;
  const at = current();
  open(shown[Math.min(shown.length - 1, Math.max(0, at < 0 && by > 0 && narrow.matches ? 0 : Math.max(0, at) + by))], true);
}

// ---- the detail

let drawing = 0;

async function drawDetail() {
  const mine = ++drawing, place = current() >= 0 ? Number(state.item) : narrow.matches ? undefined : shown[0];
  byId("items").dataset.open = String(current() >= 0);
  if (place === undefined) return byId("detail").replaceChildren(make("p", { class: "muted" }, "No item fits the filter."));
  const found = await details(place);
  if (mine !== drawing) return;
  const entry = data.entries[place], runs = Object.keys(entry.items);
  const facts = [entry.id, entry.db, entry.difficulty, ...Object.values(entry.features).filter((level) => !level.startsWith("no "))];
  const back = make("button", { id: "back", type: "button" }, "← All items");
  back.addEventListener("click", leave);
  byId("detail").replaceChildren(...[
    back,
    make("h2", { dir: "auto" }, plain(entry.question)),
    make("p", { class: "facts" }, ...facts.filter(Boolean).map((fact) => make("span", { class: "chip" }, plain(fact)))),
    entry.evidence ? make("p", { class: "evidence", dir: "auto" }, plain(entry.evidence)) : null,
    ...runs.map((run) => answer(entry, found, run, runs.length < 4 || run === (state.run ?? runs[0]))),
    data.schemas[entry.db] ? folded("Schema", make("pre", {}, plain(data.schemas[entry.db]))) : null,
  ].filter((each) => each !== null));
  byId("detail").scrollTop = 0;
}

const folded = (title, ...content) => make("details", {}, make("summary", {}, title), ...content);
const titled = (title, ...content) => make("div", {}, make("h4", {}, title), ...content);

function answer(entry, found, run, isOpen) {
  const item = entry.items[run], detail = found.items[run];
  const [primary, ...others] = item.classes;
  return make("details", { class: "answer", open: isOpen },
    make("summary", {},
      data.runs.length > 1 ? make("span", {}, make("span", { class: `swatch run-${run % 8}` }), plain(data.runs[run].name)) : null,
      verdict(item),
      item.step === null ? null : make("span", { class: "muted" }, `step ${item.step}`),
      primary ? make("span", { class: "chip primary", title: data.classes[primary] }, primary) : null,
      ...others.map((name) => make("span", { class: "chip", title: data.classes[name] }, name)),
      item.status === "ok" ? null : make("span", { class: "chip" }, plain(item.status))),
    item.error ? make("p", { class: "fault", dir: "auto" }, plain(item.error)) : null,
    detail.reasoning ? titled("Reasoning", make("div", { class: "text", dir: "auto" }, plain(detail.reasoning))) : null,
    make("div", { class: "beside" },
      titled("Gold SQL", query(detail.gold, "gold")),
      titled("Predicted SQL", detail.sql ? query(detail.sql, "ours") : make("p", { class: "muted" }, "None: the completion does not follow its response format."))),
    make("div", { class: "beside" },
      titled(`Gold result${rows(found.gold)}`, table(found.gold, detail.goldMarks, "gold")),
      titled(`Predicted result${rows(detail.result)}`, table(detail.result, detail.marks, "ours"))),
    numbers({ ...(item.total === null ? {} : { reward: item.total }), ...detail.components, ...detail.metrics }),
    detail.candidates.length ? folded(`Candidates (${detail.candidates.length})`, candidates(detail.candidates)) : null,
    detail.completion ? folded("Completion", make("pre", {}, plain(detail.completion))) : null);
}

// Pieces that both queries share and pieces that differ, in turns.
function query(pieces, side) {
  return make("pre", {}, ...pieces.map((piece, i) => (i % 2 ? make("mark", { class: side }, plain(piece)) : plain(piece))));
}

function rows(result) {
  if (!result) return "";
  const count = `${result.row_count.toLocaleString("en")} row${result.row_count === 1 ? "" : "s"}`;
  return result.row_count > result.rows.length ? `: ${count}, the first ${result.rows.length}` : `: ${count}`;
}

function table(result, marks, side) {
  if (!result) return make("p", { class: "muted" }, "There is none.");
  const cut = result.columns.length > COLUMNS;
  const head = make("tr", {}, ...result.columns.slice(0, COLUMNS).map((name) => make("th", { scope: "col" }, plain(name.slice(0, 500)))));
  const body = result.rows.map((cells, i) => make("tr", {}, ...cells.slice(0, COLUMNS).map((value, k) => cell(value, marks[i]?.includes(k), side))));
  return make("div", {},
    make("div", { class: "grid", tabindex: "0", role: "region", "aria-label": "Result" },
      make("table", {}, make("thead", {}, head), make("tbody", {}, ...body))),
    cut ? make("p", { class: "muted" }, `The first ${COLUMNS} of ${result.columns.length} columns.`) : null);
}

function cell(value, differs, side) {
  const name = `${typeof value === "number" ? "figure " : ""}${differs ? `differs ${side}` : ""}`.trim();
  const text = value === null ? make("span", { class: "null" }, "NULL") : plain(written(value));
  return make("td", { class: name || null, title: differs ? "not in the other result" : null }, make("div", { dir: "auto" }, text));
}

function written(value) {
  if (typeof value !== "object") return String(value);
  if ("hex" in value) return `x'${value.hex}'${value.length * 2 > value.hex.length ? `… (${value.length} bytes)` : ""}`;
  return "text" in value ? `${value.text}… (${value.length} characters)` : value.number;
}

function numbers(values) {
  const found = Object.entries(values).filter(([, value]) => value !== null);
  if (!found.length) return null;
  return make("dl", { class: "numbers" }, ...found.map(([name, value]) =>
    make("div", {}, make("dt", {}, plain(name)), make("dd", {}, String(Math.round(value * 1e4) / 1e4)))));
}

function candidates(list) {
  const lines = list.map((each) => make("tr", {},
    make("td", {}, make("div", {}, plain(each.sql))), make("td", {}, plain(each.status)),
    make("td", {}, each.correct === null ? "masked" : each.correct ? "✓ right" : "✗ wrong"), make("td", { class: "figure" }, String(each.votes))));
  const head = make("tr", {}, ...["SQL", "ended", "verdict", "votes"].map((name) => make("th", { scope: "col" }, name)));
  return make("div", { class: "grid", tabindex: "0", role: "region", "aria-label": "Candidates" },
    make("table", {}, make("thead", {}, head), make("tbody", {}, ...lines)));
}

// ---- the form

function drawForm() {
  if (document.activeElement !== byId("q")) byId("q").value = state.q ?? "";
  for (const select of byId("facets").querySelectorAll("select")) select.value = state[select.name] ?? "";
  byId("active").replaceChildren(...facets.filter((facet) => state[facet.key] !== undefined).map((facet) => {
    const option = facet.options.find(([value]) => value === state[facet.key]);
    const button = make("button", { type: "button" }, plain(`${facet.label}: ${option ? option[1].replace(/ \([\d,]+\)$/, "") : state[facet.key]}`), " ×");
    button.addEventListener("click", () => change({ [facet.key]: undefined }));
    return make("li", {}, button);
  }));
}

function change(filters) {
  write({ ...filters, item: undefined, page: undefined });
  refresh();
  byId("list").scrollTop = 0;
}

function refresh() {
  search();
  drawForm();
  drawList();
  drawDetail();
}

function makeForm() {
  byId("facets").replaceChildren(...facets.map((facet) => {
    const options = facet.options.map(([value, text]) => make("option", { value }, plain(text.slice(0, 200)).textContent));
    const select = make("select", { name: facet.key }, make("option", { value: "" }, "any"), ...options);
    select.addEventListener("change", () => change({ [facet.key]: select.value || undefined }));
    return make("label", {}, facet.label, select);
  }));
  byId("q").addEventListener("input", () => change({ q: byId("q").value }));
  byId("filters").addEventListener("submit", (event) => event.preventDefault());
  byId("more").addEventListener("click", () => {
    const hidden = byId("facets").toggleAttribute("hidden");
    byId("more").setAttribute("aria-expanded", String(!hidden));
  });
  byId("before").addEventListener("click", () => turn(-1));
  byId("after").addEventListener("click", () => turn(1));
}

function turn(by) {
  write({ page: String(Number(byId("pages").dataset.first) / PAGE + by) });
  drawList();
  narrow.matches ? scrollTo(0, 0) : (byId("list").scrollTop = 0);
}

// ---- start

function leave() {
  write({ item: undefined, page: String(Math.floor(Math.max(0, current()) / PAGE)) });
  drawList();
  drawDetail();
  byId("list").focus({ preventScroll: true });
}

function keys(event) {
  if (document.body.dataset.view !== "items" || event.ctrlKey || event.metaKey || event.altKey) return;
  const typing = event.target.closest("input, select, textarea"), inList = event.target === byId("list");
  const moves = { j: 1, k: -1, ...(inList ? { ArrowDown: 1, ArrowUp: -1, PageDown: 10, PageUp: -10 } : {}) };
  if (event.key === "Escape") typing ? (event.target.blur(), byId("list").focus()) : narrow.matches && leave();
  else if (typing) return;
  else if (event.key === "/") byId("q").focus();
  else if (inList && event.key === "Enter") byId("detail").focus();
  else if (inList && (event.key === "Home" || event.key === "End")) step(event.key === "Home" ? -Infinity : Infinity);
  else if (event.key in moves) step(moves[event.key]);
  else return;
  event.preventDefault();
}

async function route() {
  if (location.hash && !location.hash.startsWith("#/")) return;
  const view = read();
  document.body.dataset.view = view;
  for (const each of ["overview", "items"]) byId(`to-${each}`).setAttribute("aria-current", each === view ? "page" : "false");
  if (view === "items") {
    data ?? (await start());
    refresh();
  }
}

async function start() {
  if (!("DecompressionStream" in window)) {
    byId("items").replaceChildren(make("p", { class: "notice" }, "This browser is too old to unpack the items: one of 2023 or later is needed."));
    throw new Error("no DecompressionStream");
  }
  data = await unpack("index");
  facets = makeFacets();
  makeForm();
}

function theme() {
  const root = document.documentElement;
  const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
}

byId("theme").addEventListener("click", theme);
document.addEventListener("keydown", keys);
addEventListener("hashchange", route);
narrow.addEventListener("change", () => data && document.body.dataset.view === "items" && refresh());
route();
