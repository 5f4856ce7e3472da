// ---- filters: each has a test of an entry, and the values to choose from

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
    ofItems("applies", "Error class (any that applies)", (item) => item.classes.filter(Boolean)),
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
  const found = evaluations.length > 1 ? [["any", "the runs differ"]] : [];
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

// If a run is chosen, all filters of items test the same item of that run.
function search() {
  const words = (state.q ?? "").toLowerCase().split(/\s+/).filter(Boolean);
  const used = facets.filter((facet) => state[facet.key] !== undefined);
  shown = data.entries.flatMap((entry, place) =>
    used.every((facet) => facet.test(entry, state[facet.key])) && words.every((word) => haystack(entry).includes(word)) ? [place] : []);
}

// ---- the address: each view has a link

function read() {
  const [view, query] = location.hash.replace(/^#\/?/, "").split("?");
  state = {};
  for (const [key, value] of new URLSearchParams(query ?? "")) state[key] = value;
  return view === "items" ? "items" : "overview";
}

function write(changes, keepHistory = false) {
  state = { ...state, ...changes };
  for (const key of Object.keys(state)) if (state[key] === undefined || state[key] === "") delete state[key];
  const hash = `#/items?${new URLSearchParams(state)}`;
  keepHistory ? history.pushState(null, "", hash) : history.replaceState(null, "", hash);
}
